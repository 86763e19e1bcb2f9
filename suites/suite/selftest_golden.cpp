// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <functional>

#include "kernels/base/error.h"
#include "suites/suite/selftest_checks.h"

namespace ember {
namespace {

namespace fs = std::filesystem;
using report::Json;
using Strings = SelftestRun::Strings;

void flip_last_byte(const std::string& path) {
  std::fstream f(path, std::ios::in | std::ios::out | std::ios::binary);
  f.seekg(-1, std::ios::end);
  const char byte = static_cast<char>(f.get() ^ 1);
  f.seekp(-1, std::ios::end);
  f.put(byte);
}

// A copy of the references that `change` has spoilt.
std::string spoilt(SelftestRun* run, const std::string& name, const std::string& from,
                   const std::function<void(const std::string&)>& change) {
  const std::string to = run->path(name);
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
  change(to);
  return to;
}

std::string some_case(const std::string& golden) {
  std::string first;
  for (const auto& entry : fs::directory_iterator(golden + "/cases")) {
    const std::string path = entry.path().string();
    if (first.empty() || path < first) {
      first = path;
    }
  }
  return first;
}

}  // namespace

void check_golden(SelftestRun* run) {
  const SelftestOptions& o = run->options();
  const int kRefused = exit_code(ErrorKind::kBadInput);
  const auto golden = [&](const std::string& model, const std::string& refs) {
    return Strings{"golden", "run",       "-m",      model,     "-g",
                   refs,     "--devices", o.devices, "--level", "quick"};
  };
  run->expect("golden: the engine as it is", 0, golden(o.model, o.golden));
  Strings planted = golden(o.model, o.golden);
  planted.insert(planted.end(), {"--plant", "rope-sign"});
  run->expect("golden: a fault in RoPE", exit_code(ErrorKind::kWrong), planted);
  run->expect("golden: one bit of a reference flipped", kRefused,
              golden(o.model, spoilt(run, "flipped", o.golden, [](const std::string& dir) {
                       flip_last_byte(some_case(dir));
                     })));
  run->expect("golden: a reference cut short", kRefused,
              golden(o.model, spoilt(run, "cut", o.golden, [](const std::string& dir) {
                       const std::string path = some_case(dir);
                       fs::resize_file(path, fs::file_size(path) / 2);
                     })));
  run->expect("golden: limits edited", kRefused,
              golden(o.model, spoilt(run, "edited", o.golden, [](const std::string& dir) {
                       Json bands = Json::parse(read_file(dir + "/bands.json"));
                       bands["edited"] = true;
                       write_json(dir + "/bands.json", bands);
                     })));
  run->expect("golden: one bit of the model flipped", kRefused,
              golden(spoilt(run, "model", o.model,
                            [](const std::string& dir) {
                              for (const auto& entry : fs::directory_iterator(dir)) {
                                if (entry.path().extension() == ".safetensors") {
                                  flip_last_byte(entry.path().string());
                                }
                              }
                            }),
                     o.golden));
  run->expect("golden: no references", kRefused, golden(o.model, run->path("absent")));
}

}  // namespace ember
