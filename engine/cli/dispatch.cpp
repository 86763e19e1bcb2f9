// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/dispatch.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>

#include "engine/cli/help.h"
#include "engine/cli/signals.h"
#include "engine/core/version.h"
#include "kernels/base/env.h"
#include "kernels/base/error.h"
#include "kernels/base/model_shape.h"

namespace ember {
namespace {

constexpr const char* kReportHint =
    "this is a bug in Ember; please report it with the command line and the output of "
    "`ember --version`";

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// Every "--long" and "-s" name of the app's options.
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& n : option->get_lnames()) {
      names.push_back("--" + n);
    }
    for (const std::string& n : option->get_snames()) {
      names.push_back("-" + n);
    }
  }
  return names;
}

int usage_error(const std::string& message) {
  std::fprintf(stderr, "ember: usage: %s\n", message.c_str());
  return exit_code(ErrorKind::kUsage);
}

const CLI::App& innermost(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.front());
}

int parse_error(const CLI::App& app, const std::string& command, const CLI::ParseError& error) {
  std::string message = error.what();
  const CLI::App& inner = innermost(app);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extra = inner.remaining(true);
    if (!extra.empty()) {
      const std::string flag = extra.front().substr(0, extra.front().find('='));
      std::vector<std::string> names = option_names(inner);
      for (const CLI::App* sub : inner.get_subcommands(nullptr)) {
        names.push_back(sub->get_name());
      }
      const std::string guess = nearest(flag, names);
      message = (flag.rfind('-', 0) == 0 ? "unknown option " : "unexpected argument ") + flag +
                (guess.empty() ? "" : "; did you mean " + guess + "?");
    }
  }
  const size_t twice = message.find(": At Most 1 required but received");
  if (twice != std::string::npos) {
    message = message.substr(0, twice) + " is given more than once";
  }
  return usage_error(message + " (`ember " + command + " --help` lists the options)");
}

int run_command(const CommandEntry& entry, const std::vector<std::string>& args) {
  CLI::App app{entry.about, "ember " + entry.name};
  app.formatter(help_formatter());
  CommandFn run = entry.add(app);
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForHelp&) {
    std::fputs(innermost(app).help().c_str(), stdout);
    return 0;
  } catch (const CLI::CallForAllHelp&) {
    std::fputs(app.help("", CLI::AppFormatMode::All).c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    return parse_error(app, entry.name, e);
  }
  return run();
}

void print_help(const std::vector<CommandEntry>& commands) {
  std::printf(
      "Ember: a Qwen3 inference engine.\n\n"
      "Usage: ember -m MODEL [-p PROMPT] [options]    the same as `ember generate`\n"
      "       ember COMMAND [options]\n\nCommands:\n");
  for (const CommandEntry& c : commands) {
    std::printf("  %-10s %s\n", c.name.c_str(), c.about.c_str());
  }
  std::printf(
      "\nOptions:\n"
      "  -h, --help      this text; `ember COMMAND --help` for a command\n"
      "  --version       version, commit, compiler, CUDA\n"
      "  --list-presets  shapes of the model presets as JSON\n"
      "  --help-env      the environment variables that Ember reads\n\n"
      "MODEL is a directory as Hugging Face stores it, or random:PRESET.\n");
}

void print_presets() {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ModelPreset& p : model_presets()) {
    const ModelShape& s = p.shape;
    list.push_back({{"name", p.name},
                    {"layers", s.L},
                    {"hidden", s.D},
                    {"heads", s.H},
                    {"kv_heads", s.K},
                    {"head_dim", s.E},
                    {"ffn", s.F},
                    {"vocab", s.V},
                    {"tied", s.tied}});
  }
  std::printf("%s\n", list.dump(2).c_str());
}

const CommandEntry* find_command(const std::vector<CommandEntry>& commands,
                                 const std::string& name) {
  const auto it = std::find_if(commands.begin(), commands.end(),
                               [&](const CommandEntry& c) { return c.name == name; });
  return it == commands.end() ? nullptr : &*it;
}

int dispatch_or_throw(const std::vector<CommandEntry>& commands,
                      const std::vector<std::string>& args) {
  const std::string first = args.empty() ? "--help" : args.front();
  if (first == "-h" || first == "--help" || (first == "help" && args.size() == 1)) {
    print_help(commands);
    return 0;
  }
  if (first == "--version") {
    std::fputs(version_text().c_str(), stdout);
    return 0;
  }
  if (first == "--list-presets") {
    print_presets();
    return 0;
  }
  if (first == "--help-env") {
    std::fputs(env_help().c_str(), stdout);
    return 0;
  }
  if (first == "help") {
    return dispatch_or_throw(commands, {args[1], "--help"});
  }
  if (const CommandEntry* command = find_command(commands, first)) {
    return run_command(*command, {args.begin() + 1, args.end()});
  }
  if (first[0] == '-') {
    if (const CommandEntry* generate = find_command(commands, "generate")) {
      return run_command(*generate, args);
    }
  }
  std::vector<std::string> names;
  for (const CommandEntry& c : commands) {
    names.push_back(c.name);
  }
  const std::string guess = nearest(first, names);
  return usage_error("no command '" + first + "'" +
                     (guess.empty() ? "" : "; did you mean '" + guess + "'?") +
                     " (`ember --help` lists the commands)");
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& c : candidates) {
    const size_t d = edit_distance(word, c);
    if (d < best_distance) {
      best = c;
      best_distance = d;
    }
  }
  return best;
}

int dispatch(const std::vector<CommandEntry>& commands, const std::vector<std::string>& args) {
  try {
    return dispatch_or_throw(commands, args);
  } catch (const Error& e) {
    std::fprintf(stderr, "ember: %s: %s\n", name(e.kind()), e.what());
    if (exit_code(e.kind()) == exit_code(ErrorKind::kInternal)) {
      std::fprintf(stderr, "ember: %s\n", kReportHint);
    }
    return exit_code(e.kind());
  } catch (const Interrupted& e) {
    std::fprintf(stderr, "ember: interrupted\n");
    return e.exit_code();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr,
                 "ember: out of memory: the system refused an allocation; use a smaller -c, a "
                 "smaller model, or free memory (--dry-run prints what a run needs)\n");
    return exit_code(ErrorKind::kOutOfMemory);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "ember: internal error: %s\nember: %s\n", e.what(), kReportHint);
  } catch (...) {
    std::fprintf(stderr, "ember: internal error: unknown exception\nember: %s\n", kReportHint);
  }
  return exit_code(ErrorKind::kInternal);
}

}  // namespace ember
