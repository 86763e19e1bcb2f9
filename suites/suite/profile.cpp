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
  const char* level = "quick";  // of the golden check
  bool faults = false;
  int64_t processes = 5;  // fresh ones for kernels and e2e
  const char* ceiling_cap = "0.1";
  const char* case_cap = "0.1";
  const char* target = "0.02";
  const char* link_cap = "0.05";
  const char* link_bytes = "16M";
  std::vector<int64_t> kernel_tokens, kernel_depths, prompts, depths;
  int64_t tokens = 0;
  const char* repetitions = "3";
  double limit_s = 120;
};

// ci-quick has five processes, so that two of its reports can be compared; nightly has fourteen, so
// that what is flagged can also be confirmed (docs/reports.md).
Sizes sizes_of(const std::string& profile, bool gpu) {
  Sizes s;
  s.link_bytes = gpu ? "1G" : "64M";
  if (profile == "ci-quick") {
    s.ceiling_cap = gpu ? "0.1" : "0.2";
    s.link_bytes = "16M";
    s.kernel_tokens = {1, gpu ? 512 : 16};
    s.kernel_depths = {gpu ? 1024 : 256};
    s.prompts = {gpu ? 512 : 64};
    s.depths = gpu ? std::vector<int64_t>{0} : std::vector<int64_t>{0, 256};
    s.tokens = gpu ? 64 : 32;
    return s;
  }
  const bool nightly = profile == "nightly";
  s.level = nightly ? "deep" : "full";
  s.faults = nightly;
  s.processes = nightly ? 14 : 5;
  s.ceiling_cap = nightly && gpu ? "1" : "0.3";
  s.case_cap = gpu && !nightly ? "0.3" : gpu ? "1" : "0.5";
  s.target = gpu ? "0.005" : "0.01";
  s.link_cap = nightly ? "0.5" : "0.1";
  s.repetitions = nightly || !gpu ? "5" : "3";
  s.limit_s = gpu ? 600 : 1200;
  if (!gpu) {
    s.kernel_tokens = {1, 64};
    s.kernel_depths = {1024};
    s.prompts = {64, 512};
    s.depths = {0, 1024};
    s.tokens = 64;
  } else {
    s.kernel_tokens =
        nightly ? std::vector<int64_t>{1, 16, 512, 2048} : std::vector<int64_t>{1, 2048};
    // The middle of what decode after a prompt of 2048 tokens has in its cache, so that sums of
    // kernels and steps can be held against each other.
    s.kernel_depths = nightly ? std::vector<int64_t>{2112, 8192} : std::vector<int64_t>{2112};
    s.prompts = nightly ? std::vector<int64_t>{512, 2048} : std::vector<int64_t>{2048};
    s.depths = nightly ? std::vector<int64_t>{0, 4096, 16384} : std::vector<int64_t>{0, 4096};
    s.tokens = 128;
  }
  return s;
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
    bench("p2p", {"--devices", devices_, "--hidden", std::to_string(config_.shape.D), "--case-cap",
                  sizes_.link_cap, "--max-bytes", sizes_.link_bytes});
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
