// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/planted_delay.h"

#include <cmath>
#include <cstdlib>

#include "kernels/base/env.h"
#include "kernels/base/error.h"

namespace ember {

double planted_delay(const std::string& id) {
  const auto text = env_text(EnvVar::kPlantDelay);
  if (!text) {
    return 0;
  }
  const size_t cut = text->rfind('=');
  const std::string number = cut == std::string::npos ? "" : text->substr(cut + 1);
  char* end = nullptr;
  const double share = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0' || !(share > 0 && share <= 10)) {
    fail(ErrorKind::kUsage,
         "EMBER_PLANT_DELAY: expected TEXT=SHARE, a share above 0 and up to 10, ", "got '", *text,
         "'");
  }
  return id.find(text->substr(0, cut)) == std::string::npos ? 0 : share;
}

std::string planted_delay_text() {
  const auto text = env_text(EnvVar::kPlantDelay);
  return text ? "EMBER_PLANT_DELAY=" + *text : "";
}

}  // namespace ember
