// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/slow_link.h"

#include <cstdio>
#include <cstdlib>

#include "kernels/base/env.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr double kLeastGbS = 1e-3, kMostGbS = 1e6, kMostUs = 1e6;

// Reads the number that `text` begins with and moves past it; false where there is none.
bool read_number(const char** text, double lo, double hi, double* to) {
  char* end = nullptr;
  *to = std::strtod(*text, &end);
  const bool found = end != *text;
  *text = end;
  return found && *to >= lo && *to <= hi;
}

}  // namespace

std::string SlowLink::str() const {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g GB/s, %.6g us", bytes_per_s / 1e9, latency_s * 1e6);
  return text;
}

std::optional<SlowLink> slow_link() {
  const auto text = env_text(EnvVar::kLink);
  if (!text) {
    return std::nullopt;
  }
  double gb_s = 0, us = 0;
  const char* at = text->c_str();
  bool good = read_number(&at, kLeastGbS, kMostGbS, &gb_s);
  if (good && *at == ',') {
    good = read_number(&++at, 0, kMostUs, &us);
  }
  if (!good || *at != '\0') {
    fail(ErrorKind::kUsage, "EMBER_LINK: expected GB/s[,us], a rate from ", kLeastGbS, " to ",
         kMostGbS, " and a latency from 0 to ", kMostUs, ", got '", *text, "'");
  }
  return SlowLink{gb_s * 1e9, us * 1e-6};
}

}  // namespace ember
