// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "engine/cli/chat_loop.h"
#include "engine/cli/command.h"

namespace ember {

CommandFn add_chat(CLI::App& app) {
  auto flags = std::make_shared<ChatFlags>();
  flags->length.max_tokens = -1;
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_config("--config", "", "read flags from a TOML file: temp = 0.5")->type_name("FILE");
  add_model_flags(app, flags->model, true);
  const std::string group = "Conversation";
  app.add_option("-p,--prompt", flags->prompt.text, "a first message")
      ->type_name("TEXT")
      ->group(group);
  app.add_option("--system", flags->prompt.system, "system message")
      ->type_name("TEXT")
      ->group(group);
  CLI::Option* think = app.add_flag("--think", flags->prompt.think, "thinking on (the default)");
  CLI::Option* no_think = app.add_flag("--no-think", flags->prompt.no_think, "thinking off");
  think->group(group)->excludes(no_think);
  no_think->group(group);
  app.add_flag("--hide-thinking,!--show-thinking", flags->hide_thinking, "print the answers alone")
      ->group(group);
  app.add_option("--special", flags->prompt.special,
                 "control tokens spelled in a message: text (they stay text) or parse")
      ->check(CLI::IsMember({"text", "parse"}))
      ->type_name("HOW")
      ->capture_default_str()
      ->group(group);
  app.add_option("--history", flags->history, "keep the typed lines in this file between runs")
      ->type_name("FILE")
      ->group(group);
  app.add_option("--stats", flags->stats,
                 "statistics after each answer, on stderr: text, json, none")
      ->check(CLI::IsMember({"text", "json", "none"}))
      ->type_name("HOW")
      ->capture_default_str()
      ->group(group);
  add_length_flags(app, flags->length);
  add_sampling_flags(app, flags->sampling);
  add_log_flags(app);
  return [flags] { return run_chat(*flags); };
}

}  // namespace ember
