// SPDX-License-Identifier: Apache-2.0
// What a subcommand is: a name, one line about it, and a function that adds its flags to a CLI11
// app and returns what runs once they are parsed. Each command stands in a file of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace ember {

// Returns the process exit code; throws ember::Error for everything that ends the command early.
using CommandFn = std::function<int()>;

struct CommandEntry {
  std::string name;   // "generate"
  std::string about;  // one line, shown by `ember --help`
  std::function<CommandFn(CLI::App&)> add;
};

CommandFn add_generate(CLI::App& app);  // generate.cpp
CommandFn add_chat(CLI::App& app);      // chat.cpp
CommandFn add_tokenize(CLI::App& app);  // tokenize.cpp
CommandFn add_logits(CLI::App& app);    // logits.cpp
CommandFn add_inspect(CLI::App& app);   // inspect.cpp
CommandFn add_devices(CLI::App& app);   // devices.cpp

}  // namespace ember
