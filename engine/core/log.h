// SPDX-License-Identifier: Apache-2.0
// Everything the program says beside its result, on stderr. stdout belongs to the result alone.
#pragma once

#include <sstream>
#include <string>

namespace ember {

enum class LogLevel { kQuiet, kNormal, kVerbose };  // -q, neither, -v

// Process-wide; set once by the command line before anything runs.
void set_log_level(LogLevel level);
LogLevel log_level();
// colour: "auto" (a terminal, and NO_COLOR unset), "always" or "never".
void set_log_color(const std::string& when);
bool log_color();  // for stderr
bool stderr_is_tty();
bool stdout_is_tty();

// One line "ember: TEXT". A notice shows unless quiet; verbose lines only with -v; a warning
// always.
void write_notice(const std::string& text);
void write_verbose(const std::string& text);
void write_warning(const std::string& text);

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
void notice(const Parts&... parts) {
  write_notice(concat(parts...));
}
template <class... Parts>
void verbose(const Parts&... parts) {
  if (log_level() == LogLevel::kVerbose) {
    write_verbose(concat(parts...));
  }
}
template <class... Parts>
void warning(const Parts&... parts) {
  write_warning(concat(parts...));
}

// A progress bar on stderr, drawn only where stderr is a terminal and the log is not quiet; it
// appears after half a second of work, so that quick work shows none. Erased when it is destroyed.
class ProgressBar {
 public:
  ProgressBar(const std::string& what, const std::string& unit);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void update(double done, double total);

 private:
  std::string what_, unit_;
  double start_, last_drawn_ = 0;
  bool drawn_ = false;
};

}  // namespace ember
