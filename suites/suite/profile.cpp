// SPDX-License-Identifier: Apache-2.0
#include "suites/suite/profile.h"

#include <algorithm>
#include <filesystem>

#include "kernels/base/error.h"
#include "kernels/base/model_shape.h"

namespace ember {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

// The sizes of one profile on one kind of device. Times are caps, in seconds.
struct Sizes {
  const char* level;  // of the golden check
  bool faults;
  int64_t processes;  // fresh ones for kernels and e2e
  const char* ceiling_cap;
  const char* case_cap;
  const char* target;
  std::vector<int64_t> kernel_tokens, kernel_depths, prompts, depths;
  int64_t tokens;
  const char* repetitions;
  double limit_s;
};

// ci-quick has five processes, so that two of its reports can be compared; nightly has fourteen, so
// that what is flagged can also be confirmed (docs/reports.md).
Sizes sizes_of(const std::string& profile, bool gpu) {
  if (profile == "ci-quick") {
    return gpu ? Sizes{"quick", false, 5,   "0.1", "0.1", "0.02", {1, 512},
                       {1024},  {512}, {0}, 64,    "3",   120}
               : Sizes{"quick", false, 5,        "0.2", "0.1", "0.02", {1, 16},
                       {256},   {64},  {0, 256}, 32,    "3",   60};
  }
  if (profile == "ci-full") {
    return gpu ? Sizes{"full", false,  5,         "0.3", "0.3", "0.005", {1, 2048},
                       {2112}, {2048}, {0, 4096}, 128,   "3",   300}
               : Sizes{"full", false,     5,         "0.3", "0.5", "0.01", {1, 64},
                       {1024}, {64, 512}, {0, 1024}, 64,    "5",   600};
  }
  return gpu ? Sizes{"deep",
                     true,
                     14,
                     "1",
                     "1",
                     "0.005",
                     {1, 16, 512, 2048},
                     {1024, 8192},
                     {512, 2048},
                     {0, 4096, 16384},
                     256,
                     "5",
                     600}
             : Sizes{"deep", true,      14,        "0.3", "0.5", "0.01", {1, 64},
                     {1024}, {64, 512}, {0, 1024}, 64,    "5",   1200};
}

std::string list(const std::vector<int64_t>& values) {
  std::string text;
  for (const int64_t v : values) {
    text += (text.empty() ? "" : ",") + std::to_string(v);
  }
  return text;
}

std::string device_list(const std::vector<DeviceId>& devices) {
  std::string text;
  for (const DeviceId& d : devices) {
    text += (text.empty() ? "" : ",") + d.str();
  }
  return text;
}

bool same_shape(const ModelShape& a, const ModelShape& b) {
  return a.L == b.L && a.D == b.D && a.H == b.H && a.K == b.K && a.E == b.E && a.F == b.F &&
         a.V == b.V && a.tied == b.tied;
}

std::string preset_of(const ModelShape& shape) {
  for (const ModelPreset& p : model_presets()) {
    if (same_shape(p.shape, shape)) {
      return p.name;
    }
  }
  return "";
}

class Builder {
 public:
  Builder(const SuiteOptions& o, const ModelConfig& config, const Strings& benches)
      : o_(o),
        config_(config),
        benches_(benches),
        gpu_(o.devices.at(0).kind == DeviceKind::kCuda),
        sizes_(sizes_of(o.profile, gpu_)),
        devices_(device_list(o.devices)) {}

  std::vector<SuiteStep> steps() {
    golden();
    bench("ceilings", {"--devices", devices_, "--time-cap", sizes_.ceiling_cap});
    kernels();
    bench("p2p", {"--devices", devices_});
    e2e();
    phases();
    if (o_.profile == "nightly") {
      selftest();
    }
    return std::move(steps_);
  }

 private:
  SuiteStep& add(const std::string& name, Strings args) {
    SuiteStep s;
    s.name = name;
    s.args = std::move(args);
    s.limit_s = sizes_.limit_s;
    if (!o_.only.empty() && std::find(o_.only.begin(), o_.only.end(), name) == o_.only.end()) {
      s.skipped = "left out by --only";
    }
    steps_.push_back(std::move(s));
    return steps_.back();
  }

  SuiteStep& bench(const std::string& name, const Strings& args) {
    Strings all = {"bench", name};
    all.insert(all.end(), args.begin(), args.end());
    SuiteStep& s = add(name, std::move(all));
    if (s.skipped.empty() && std::find(benches_.begin(), benches_.end(), name) == benches_.end()) {
      s.skipped = "this binary has no `ember bench " + name + "`";
    }
    return s;
  }

  // Of this model where it is a directory with references, or of another that is named: the engine
  // is the same.
  void golden() {
    std::string model = o_.golden_model, refs = o_.golden;
    std::error_code ignored;
    if (model.empty() && fs::is_directory(o_.model, ignored)) {
      model = o_.model;
    }
    if (!model.empty() && refs.empty()) {
      const fs::path folder = fs::path(model).lexically_normal();
      const fs::path name =
          folder.has_filename() ? folder.filename() : folder.parent_path().filename();
      const fs::path beside = fs::path(model) / ".." / ".." / "refs" / name;
      if (fs::exists(beside / "manifest.json", ignored)) {
        refs = beside.lexically_normal().string();
      }
    }
    Strings args = {"golden",    "run",    "-m",      model,    "-g",      refs,
                    "--devices", devices_, "--dtype", o_.dtype, "--level", sizes_.level};
    if (sizes_.faults) {
      args.insert(args.end(), {"--mutate", "all"});
    }
    if (!o_.plant.empty()) {
      args.insert(args.end(), {"--plant", o_.plant});
    }
    SuiteStep& s = add("golden", std::move(args));
    s.report_flag = "--report";
    s.judges = true;
    s.limit_s = std::max(s.limit_s, sizes_.faults ? 1800.0 : 300.0);
    if (s.skipped.empty() && model.empty()) {
      s.skipped =
          o_.model + " has no references; --golden-model and --golden name a model that has";
    } else if (s.skipped.empty() && refs.empty()) {
      s.skipped = "no references of " + model + "; --golden names their directory";
    }
  }

  // Of the gate on this device, with the bundled model's references or those that were named.
  void selftest() {
    SuiteStep& s =
        add("selftest", {"suite", "selftest", "--devices", o_.devices[0].str(), "--rounds", "20"});
    s.limit_s = 3600;
    for (const SuiteStep& g : steps_) {
      if (g.name == "golden" && !g.skipped.empty() && s.skipped.empty()) {
        s.skipped = "no references: " + g.skipped;
      } else if (g.name == "golden") {
        s.args.insert(s.args.end(), {"-m", g.args[3], "-g", g.args[5]});
      }
    }
  }

  void kernels() {
    const std::string preset = preset_of(config_.shape);
    Strings args = {"--preset",   preset,
                    "--devices",  devices_,
                    "-t",         list(sizes_.kernel_tokens),
                    "-d",         list(fitting(sizes_.kernel_depths, 0)),
                    "--time-cap", sizes_.ceiling_cap,
                    "--case-cap", sizes_.case_cap,
                    "--target",   sizes_.target};
    if (o_.dtype != "auto") {
      args.insert(args.end(), {"--dtype", o_.dtype});
    }
    if (o_.profile == "nightly" && gpu_) {
      args.insert(args.end(), {"--cache", "both"});
    }
    SuiteStep& s = bench("kernels", args);
    s.processes = o_.processes > 0 ? o_.processes : sizes_.processes;
    s.measures_engine = true;
    if (s.skipped.empty() && preset.empty()) {
      s.skipped = "no preset has the shape of " + o_.model;
    }
  }

  void e2e() {
    const int64_t longest = sizes_.prompts.back() + sizes_.tokens;
    SuiteStep& s =
        bench("e2e", {"-m", o_.model, "--devices", devices_, "--dtype", o_.dtype, "-p",
                      list(sizes_.prompts), "-n", std::to_string(sizes_.tokens), "-d",
                      list(fitting(sizes_.depths, longest)), "-r", sizes_.repetitions, "--time-cap",
                      sizes_.ceiling_cap, "--no-golden"});  // judged by a step of its own
    s.processes = o_.processes > 0 ? o_.processes : sizes_.processes;
    s.measures_engine = true;
    if (s.skipped.empty() && longest > config_.max_position) {
      s.skipped = "the model's context of " + std::to_string(config_.max_position) +
                  " tokens does not hold " + std::to_string(longest);
    }
  }

  void phases() {
    const int64_t prompt = sizes_.prompts.back(), steps = std::max<int64_t>(2, sizes_.tokens);
    SuiteStep& s = bench("phases", {"-m", o_.model, "--devices", devices_, "--dtype", o_.dtype,
                                    "-p", std::to_string(prompt), "-n", std::to_string(steps), "-d",
                                    list(fitting(sizes_.depths, prompt + steps + 1)), "-r",
                                    sizes_.repetitions, "--time-cap", sizes_.ceiling_cap});
    s.measures_engine = true;
  }

  // Depths that leave room for `more` tokens in the model's context.
  std::vector<int64_t> fitting(const std::vector<int64_t>& depths, int64_t more) const {
    std::vector<int64_t> out;
    for (const int64_t d : depths) {
      if (d + more <= config_.max_position) {
        out.push_back(d);
      }
    }
    return out.empty() ? std::vector<int64_t>{0} : out;
  }

  const SuiteOptions& o_;
  const ModelConfig& config_;
  const Strings& benches_;
  bool gpu_;
  Sizes sizes_;
  std::string devices_;
  std::vector<SuiteStep> steps_;
};

}  // namespace

const std::vector<std::string>& suite_profiles() {
  static const std::vector<std::string> names = {"ci-quick", "ci-full", "nightly"};
  return names;
}

std::vector<SuiteStep> suite_steps(const SuiteOptions& options, const ModelConfig& config,
                                   const std::vector<std::string>& benches) {
  std::vector<SuiteStep> steps = Builder(options, config, benches).steps();
  for (const std::string& name : options.only) {
    const auto known =
        std::any_of(steps.begin(), steps.end(), [&](const SuiteStep& s) { return s.name == name; });
    if (!known) {
      fail(ErrorKind::kUsage, "--only: no step '", name, "'");
    }
  }
  return steps;
}

}  // namespace ember
