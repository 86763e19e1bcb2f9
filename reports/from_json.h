// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "reports/report.h"

namespace ember::report {

// `document` has passed reports/schema.json.
Report report_from_json(const nlohmann::json& document);

}  // namespace ember::report
