// SPDX-License-Identifier: Apache-2.0
// ember generate, which is also the bare form: one prompt in, its continuation out.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/backend/finite_backend.h"
#include "engine/cli/answer_writer.h"
#include "engine/cli/chat_loop.h"
#include "engine/cli/command.h"
#include "engine/cli/flags.h"
#include "engine/cli/model.h"
#include "engine/cli/plan_output.h"
#include "engine/cli/prompt.h"
#include "engine/cli/run_report.h"
#include "engine/cli/sampling_flags.h"
#include "engine/cli/signals.h"
#include "engine/core/log.h"
#include "engine/runtime/generator.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

struct Flags {
  ModelFlags model;
  PromptFlags prompt;
  LengthFlags length;
  SamplingFlags sampling;
  OutputFlags output;
  std::optional<std::string> profile_window;
  bool check_finite = false;
  bool interactive = false, print_prompt = false, dry_run = false;
};

int print_prompt(const Prompt& prompt) {
  std::string ids = "[";
  for (size_t i = 0; i < prompt.ids.size(); ++i) {
    ids += (i > 0 ? ", " : "") + std::to_string(prompt.ids[i]);
  }
  write_file("-", prompt.text + "\n" + ids + "]\n");
  return 0;
}

void print_stats(const OutputFlags& flags, const RunReport& report) {
  if (flags.stats == "text") {
    notice(stats_text(report));
  } else if (flags.stats == "json") {
    std::fprintf(stderr, "%s\n", dump_json(run_json(report)).c_str());
  }
  if (!flags.json.empty()) {
    write_file(flags.json, dump_json(run_json(report), 2) + "\n");
  }
  if (flags.jsonl) {
    nlohmann::ordered_json end = {{"type", "end"}};
    end.update(run_json(report));
    write_file("-", dump_json(end) + "\n");
  }
}

int exit_status(const GenerateResult& result, const LengthFlags& length) {
  if (result.reason == StopReason::kInterrupted) {
    return 128 + SignalGuard::pending();
  }
  if (result.reason == StopReason::kTimeout) {
    fail(ErrorKind::kTimeout, "--timeout ", length.timeout, " ran out after ", result.ids.size(),
         " tokens, which were printed");
  }
  return 0;
}

// --check-finite: the report comes at the end, however the run ends.
class FiniteNote {
 public:
  FiniteNote(bool wanted, RuntimeOptions* options) {
    if (wanted) {
      report_ = std::make_shared<FiniteReport>();
      options->decorate = [report = report_](std::unique_ptr<IBackend> inner, int64_t) {
        return watch_finite(std::move(inner), report);
      };
    }
  }
  ~FiniteNote() {
    if (report_) {
      write_warning("--check-finite: " + report_->str());
    }
  }
  FiniteNote(const FiniteNote&) = delete;
  FiniteNote& operator=(const FiniteNote&) = delete;

 private:
  std::shared_ptr<FiniteReport> report_;
};

int run_generate(const Flags& flags) {
  const SignalGuard guard;
  const Model model = open_model(flags.model.model);
  const int64_t vocab = model.weights->config().shape.V;
  const int64_t max_position = model.weights->config().max_position;
  if (flags.dry_run) {
    return print_plan(plan_runtime(*model.weights, runtime_options(flags.model, max_position)),
                      flags.output.json);
  }
  const Prompt prompt = make_prompt(flags.prompt, *model.tokenizer, vocab);
  if (flags.print_prompt) {
    return print_prompt(prompt);
  }
  RunReport report;
  report.sampling = resolve_sampling(flags.sampling, model.generation);
  print_sampling(report.sampling);
  if (report.sampling.params.is_greedy() && prompt.thinking) {
    warning(
        "greedy sampling with thinking on: Qwen3 tends to repeat itself without end; "
        "try --sampling think, or --no-think");
  }
  AnswerWriter writer(flags.output, *model.tokenizer);
  GenerateOptions options =
      generate_options(flags.length, flags.model, model.eos_ids(), *model.tokenizer);
  options.logprobs = flags.output.logprobs;
  if (flags.profile_window) {
    options.profile = ProfileSteps::parse(*flags.profile_window);
  }
  options.on_token = [&writer](const GeneratedToken& t) { writer.token(t); };
  options.on_text = [&writer](std::string_view text, TextKind kind) { writer.text(text, kind); };

  RuntimeOptions runtime = runtime_options(flags.model, max_position);
  const FiniteNote finite(flags.check_finite, &runtime);
  const LoadedRuntime loaded = load_runtime(model, runtime);
  const auto session = loaded.runtime->new_session(runtime.context);
  Sampler sampler(report.sampling.params, vocab);
  std::optional<ProgressBar> bar(std::in_place, "reading the prompt", "tokens");
  options.on_prefill = [&bar](int64_t done, int64_t total) {
    if (done == total) {
      bar.reset();
    } else if (bar) {
      bar->update(static_cast<double>(done), static_cast<double>(total));
    }
  };
  report.model = model.weights->description();
  report.devices = loaded.runtime->device_map().str();
  report.load_seconds = loaded.load_seconds;
  report.load = loaded.runtime->load_stats();
  report.result =
      generate(*loaded.runtime, *session, *model.tokenizer, sampler, prompt.ids, options);
  bar.reset();
  writer.finish();
  report.text = writer.answer();
  report.thinking = writer.thinking();
  print_stats(flags.output, report);
  return exit_status(report.result, flags.length);
}

}  // namespace

CommandFn add_generate(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--config", "", "read flags from a TOML file: temp = 0.5")->type_name("FILE");
  add_model_flags(app, flags->model, true);
  add_prompt_flags(app, flags->prompt);
  add_length_flags(app, flags->length);
  add_sampling_flags(app, flags->sampling);
  add_output_flags(app, flags->output);
  add_log_flags(app);
  app.add_flag("-i,--interactive", flags->interactive, "the same as `ember chat`");
  app.add_option("--profile-window", flags->profile_window,
                 "decode steps that a waiting profiler records (docs/profiling.md), as in 32:8")
      ->type_name("START:COUNT");
  app.add_flag("--check-finite", flags->check_finite,
               "count what is not finite in every intermediate, and say where it began; slow");
  app.add_flag("--print-prompt", flags->print_prompt,
               "print the prompt as the model gets it, text and ids, and do no more");
  app.add_flag("--dry-run", flags->dry_run,
               "print the memory plan, and do no more; exit code 6 when it does not fit");
  const CLI::Option* length = app.get_option("--n-predict");
  return [flags, length] {
    if (flags->interactive) {
      if (length->empty()) {
        flags->length.max_tokens = -1;  // the chat's default
      }
      return run_chat({flags->model, flags->prompt, flags->length, flags->sampling,
                       flags->output.stats, flags->output.hide_thinking, ""});
    }
    return run_generate(*flags);
  };
}

}  // namespace ember
