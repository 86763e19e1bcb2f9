// SPDX-License-Identifier: Apache-2.0
// What `ember golden run` prints and writes.
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>

#include "suites/golden_logits/golden_run.h"
#include "suites/mutation/mutation.h"

namespace ember::golden {

using Json = nlohmann::ordered_json;

// The table: one row a figure, the worst case of each mode; every failure in full below it.
void print_result(std::ostream& out, const Fixture& fixture, const GoldenResult& result,
                  bool every_case);
void print_mutations(std::ostream& out, const std::vector<MutationResult>& results);

Json to_json(const Fixture& fixture, const GoldenResult& result);
Json to_json(const std::vector<MutationResult>& results);

}  // namespace ember::golden
