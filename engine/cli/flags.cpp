// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "engine/backend/registry.h"
#include "engine/cli/signals.h"
#include "engine/core/log.h"
#include "engine/runtime/stop_matcher.h"
#include "kernels/base/error.h"
#include "kernels/base/parallel.h"

namespace ember {
namespace {

constexpr int64_t kDefaultContext = 2048;

}  // namespace

void add_log_flags(CLI::App& app) {
  const std::string group = "Log";
  CLI::Option* verbose = app.add_flag_callback(
      "-v,--verbose", [] { set_log_level(LogLevel::kVerbose); },
      "print what is decided on the way, and why");
  CLI::Option* quiet = app.add_flag_callback(
      "-q,--quiet", [] { set_log_level(LogLevel::kQuiet); },
      "print errors and warnings only, no notices or statistics");
  CLI::Option* color = app.add_option_function<std::string>(
      "--color", [](const std::string& when) { set_log_color(when); },
      "colours: auto (a terminal without NO_COLOR), always, never");
  color->check(CLI::IsMember({"auto", "always", "never"}))->type_name("WHEN");
  verbose->group(group)->excludes(quiet);
  quiet->group(group);
  color->group(group);
}

void add_model_flags(CLI::App& app, ModelFlags& flags, bool with_context) {
  const std::string group = "Model and devices";
  app.add_option("-m,--model", flags.model,
                 "a model directory as Hugging Face stores it, or random:PRESET "
                 "(ember --list-presets)")
      ->type_name("MODEL")
      ->required()
      ->group(group);
  app.add_option("--devices", flags.devices,
                 "comma-separated: GPU ordinals or cpu, one pipeline stage each, or auto; "
                 "default 0, or cpu where there is no GPU")
      ->type_name("LIST")
      ->group(group);
  app.add_option("--split", flags.split, "layers a stage, as in 14,14; default auto: by size")
      ->type_name("LIST")
      ->group(group);
  app.add_option("--dtype", flags.dtype, "arithmetic: auto, fp32, bf16, fp16 (the CPU has fp32)")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16"}))
      ->type_name("TYPE")
      ->capture_default_str()
      ->group(group);
  app.add_option("--hop", flags.hop,
                 "activations between GPUs: peer copies, staged through host memory, or auto: peer "
                 "where the devices can")
      ->check(CLI::IsMember({"auto", "peer", "staged"}))
      ->type_name("WAY")
      ->capture_default_str()
      ->group(group);
  app.add_option("-t,--threads", flags.threads, "CPU threads; default all that may be used")
      ->check(CLI::Range(int64_t{1}, int64_t{256}))
      ->type_name("N")
      ->group(group);
  app.add_option("--chunk", flags.chunk,
                 "prompt tokens a pass; default 2048 on one GPU, 512 on the CPU or in stages")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20))
      ->type_name("N")
      ->group(group);
  app.add_flag("--no-graph", flags.no_graph,
               "launch kernels one by one instead of as a CUDA graph, for profilers: slower")
      ->group(group);
  app.add_option("--mem-limit", flags.mem_limit,
                 "GiB that each device may use; default what is free")
      ->check(CLI::PositiveNumber)
      ->type_name("GIB")
      ->group(group);
  if (with_context) {
    app.add_option("-c,--ctx-size", flags.context,
                   "tokens of context, prompt and answer together; default 2048, or all that a "
                   "model with less was made for")
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 30))
        ->type_name("N")
        ->group(group);
  }
}

void add_length_flags(CLI::App& app, LengthFlags& flags) {
  const std::string group = "Length";
  app.add_option("-n,--n-predict,--max-tokens", flags.max_tokens,
                 "tokens to generate; -1: until the text or the context ends")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 40))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  app.add_option("--stop", flags.stop, "stop before this text in the answer; may be repeated")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--ignore-eos", flags.ignore_eos, "go on after the end-of-text token")->group(group);
  app.add_option("--timeout", flags.timeout, "seconds for the whole answer; exit code 7 beyond")
      ->check(CLI::PositiveNumber)
      ->type_name("S")
      ->group(group);
  app.add_option("--think-budget", flags.think_budget, "end thinking after this many tokens")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->group(group);
}

std::vector<DeviceId> choose_devices(const std::string& text, const std::string& dtype) {
  if (!text.empty() && text != "auto") {
    return parse_devices(text);
  }
  std::string why;
  const std::vector<CudaDeviceInfo> gpus = cuda_devices(&why);
  if (!gpus.empty()) {
    // By default the first; auto takes the one with the most free memory.
    auto best = gpus.begin();
    if (text == "auto") {
      best = std::max_element(gpus.begin(), gpus.end(), [](const auto& a, const auto& b) {
        return a.free_bytes < b.free_bytes;
      });
    }
    const DeviceId device{DeviceKind::kCuda, best->index};
    try {
      make_backend(device, dtype);
      return {device};
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kNoDevice) {
        throw;
      }
      why = e.what();
    }
  }
  const std::string line = concat("no GPU is usable (", why, "): running on the CPU");
  if (text == "auto") {
    write_verbose(line);
  } else {
    write_notice(line);
  }
  return {DeviceId{}};
}

RuntimeOptions runtime_options(const ModelFlags& flags, int64_t max_position) {
  RuntimeOptions options;
  if (flags.threads > 0) {
    set_thread_count(static_cast<int>(flags.threads));
  }
  options.devices = choose_devices(flags.devices, flags.dtype);
  options.dtype = flags.dtype;
  options.graph = !flags.no_graph;
  options.context = flags.context.value_or(std::min(kDefaultContext, max_position));
  options.chunk = flags.chunk > 0 ? flags.chunk : default_chunk(options.devices);
  options.hop = parse_hop_path(flags.hop);
  if (flags.mem_limit > 0) {
    options.mem_limit = static_cast<int64_t>(flags.mem_limit * 1024.0 * 1024.0 * 1024.0);
  }
  if (!flags.split.empty() && flags.split != "auto") {
    std::istringstream in(flags.split);
    for (std::string part; std::getline(in, part, ',');) {
      if (part.empty() || part.size() > 9 ||
          part.find_first_not_of("0123456789") != std::string::npos) {
        fail(ErrorKind::kUsage, "--split: expected layers a stage as in 14,14, got '", flags.split,
             "'");
      }
      options.split.push_back(std::stoll(part));
    }
  }
  return options;
}

GenerateOptions generate_options(const LengthFlags& length, const ModelFlags& model,
                                 const std::vector<int32_t>& eos_ids, const Tokenizer& tokenizer) {
  const StopMatcher check(length.stop);  // refuse a bad one before anything is loaded
  GenerateOptions options;
  options.max_tokens = length.max_tokens;
  options.stop = length.stop;
  options.timeout_seconds = length.timeout;
  options.chunk = model.chunk;
  if (!length.ignore_eos) {
    options.eos_ids = eos_ids;
  }
  options.think = think_ids(tokenizer);
  if (length.think_budget >= 0) {
    if (options.think.close < 0) {
      fail(ErrorKind::kUsage, "--think-budget: this model's tokenizer has no </think> token");
    }
    options.think_budget = length.think_budget;
    tokenizer.append("\n", SpecialTokens::kText, &options.think_close);
    options.think_close.push_back(options.think.close);
    tokenizer.append("\n\n", SpecialTokens::kText, &options.think_close);
  }
  options.interrupted = [] { return SignalGuard::pending() != 0; };
  return options;
}

}  // namespace ember
