// SPDX-License-Identifier: Apache-2.0
// What one generation was and how long it took, for a reader and for a program.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/cli/sampling_flags.h"
#include "engine/runtime/generator.h"

namespace ember {

struct RunReport {
  std::string model;    // IWeightSource::description()
  std::string devices;  // DeviceMap::str()
  EffectiveSampling sampling;
  GenerateResult result;
  std::string text;         // the answer as shown
  std::string thinking;     // and what was thought before it
  double load_seconds = 0;  // from the first look at a device to a runtime that is ready
  LoadStats load;
};

// Tokens a second; 0 where no time passed.
double rate(double tokens, double seconds);

// One or two lines for people.
std::string stats_text(const RunReport& report);
// Schema "ember.run/1": docs/cli.md describes the fields. Bytes that are no UTF-8 become U+FFFD;
// the ids are exact.
nlohmann::ordered_json run_json(const RunReport& report);
// Serialises with U+FFFD in place of broken bytes.
std::string dump_json(const nlohmann::ordered_json& json, int indent = -1);

// Writes to a file ("-": stdout). Throws Error{kBadInput} when it cannot.
void write_file(const std::string& path, const std::string& text);

}  // namespace ember
