// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace ember {

// Lines from the user: edited, with history, where stdin is a terminal; as they come where not.
// The prompt and the echo go to stderr: stdout belongs to the answers.
class LineReader {
 public:
  // Keeps history in `history_file` between runs unless it is empty; a file that cannot be read
  // starts an empty history, one that cannot be written is warned about.
  explicit LineReader(const std::string& history_file);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // Without the line break; nullopt at the end of input and when a signal came (SignalGuard).
  std::optional<std::string> read(const std::string& prompt);
  // Adds one entry to the history; entries of several lines are kept whole.
  void remember(const std::string& entry);
  bool interactive() const;

 private:
  struct Editor;
  std::unique_ptr<Editor> editor_;  // null where stdin is no terminal
};

}  // namespace ember
