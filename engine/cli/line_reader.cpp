// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/line_reader.h"

#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <cwchar>

#include "engine/cli/signals.h"
#include "engine/core/log.h"

namespace ember {

struct LineReader::Editor {
  EditLine* line = nullptr;
  History* history = nullptr;
  std::string history_file;
  std::string prompt;
};

namespace {

constexpr int kHistoryEntries = 1000;

// Reads byte by byte past stdio, so that a signal ends the wait and nothing is read ahead.
std::optional<std::string> read_plain() {
  std::string line;
  for (char c = 0;;) {
    const ssize_t n = ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR && SignalGuard::pending() == 0) {
      continue;
    }
    if (n <= 0) {
      return n == 0 && !line.empty() ? std::optional<std::string>(line) : std::nullopt;
    }
    if (c == '\n') {
      return line;
    }
    line += c;
  }
}

// Gives the editor a character: 1, 0 at the end of input, -1 when a signal came. A signal may come
// just before a wait begins (or to another thread), which the wait would not notice: hence slices.
int read_char(EditLine*, wchar_t* to) {
  constexpr int kSliceMs = 50;
  mbstate_t state = {};
  for (;;) {
    pollfd fd = {STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&fd, 1, kSliceMs);
    if (SignalGuard::pending() != 0) {
      return -1;
    }
    if (ready <= 0) {
      continue;
    }
    char byte = 0;
    const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    if (n <= 0) {
      return 0;
    }
    const size_t length = std::mbrtowc(to, &byte, 1, &state);
    if (length == static_cast<size_t>(-2)) {
      continue;  // the character goes on
    }
    if (length != static_cast<size_t>(-1)) {
      return 1;
    }
    state = {};  // no character begins, or goes on, like that: it is passed over
  }
}

// libedit edits whole characters only under a UTF-8 locale.
void want_utf8() {
  const char* now = std::setlocale(LC_CTYPE, "");
  if (now == nullptr || std::strcmp(now, "C") == 0 || std::strcmp(now, "POSIX") == 0) {
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
}

}  // namespace

LineReader::LineReader(const std::string& history_file) {
  if (isatty(STDIN_FILENO) != 1) {
    return;
  }
  want_utf8();
  editor_ = std::make_unique<Editor>();
  editor_->history_file = history_file;
  editor_->line = el_init("ember", stdin, stderr, stderr);
  editor_->history = history_init();
  if (editor_->line == nullptr || editor_->history == nullptr) {
    warning("no line editing on this terminal");
    editor_.reset();
    return;
  }
  HistEvent event;
  history(editor_->history, &event, H_SETSIZE, kHistoryEntries);
  history(editor_->history, &event, H_SETUNIQUE, 1);
  el_set(editor_->line, EL_CLIENTDATA, editor_.get());
  el_set(
      editor_->line, EL_PROMPT, +[](EditLine* line) -> char* {
        void* self = nullptr;
        el_get(line, EL_CLIENTDATA, &self);
        return static_cast<Editor*>(self)->prompt.data();
      });
  el_set(editor_->line, EL_EDITOR, "emacs");
  el_set(editor_->line, EL_GETCFN, read_char);
  el_set(editor_->line, EL_HIST, history, editor_->history);
  // A Ctrl-D that comes while the terminal still cuts lines itself is kept as an end-of-file mark,
  // which reads as a zero byte once the editor has taken over: it must mean the same.
  el_set(editor_->line, EL_BIND, "^@", "em-delete-or-list", nullptr);
  el_source(editor_->line, nullptr);
  if (!history_file.empty()) {
    history(editor_->history, &event, H_LOAD, history_file.c_str());
  }
}

LineReader::~LineReader() {
  if (!editor_) {
    return;
  }
  HistEvent event;
  if (!editor_->history_file.empty() &&
      history(editor_->history, &event, H_SAVE, editor_->history_file.c_str()) < 0) {
    warning(editor_->history_file, ": the history cannot be written");
  }
  el_end(editor_->line);
  history_end(editor_->history);
}

bool LineReader::interactive() const {
  return editor_ != nullptr;
}

std::optional<std::string> LineReader::read(const std::string& prompt) {
  if (!editor_) {
    return read_plain();
  }
  editor_->prompt = prompt;
  int count = 0;
  const char* text = el_gets(editor_->line, &count);
  if (text == nullptr || count <= 0 || SignalGuard::pending() != 0) {
    el_reset(editor_->line);
    return std::nullopt;
  }
  std::string line(text, static_cast<size_t>(count));
  if (!line.empty() && line.back() == '\n') {
    line.pop_back();
  }
  return line;
}

void LineReader::remember(const std::string& entry) {
  if (editor_ && !entry.empty()) {
    HistEvent event;
    history(editor_->history, &event, H_ENTER, entry.c_str());
  }
}

}  // namespace ember
