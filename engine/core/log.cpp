// SPDX-License-Identifier: Apache-2.0
#include "engine/core/log.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "engine/core/clock.h"
#include "kernels/base/env.h"

namespace ember {
namespace {

constexpr double kBarDelay = 0.5;      // seconds of work before a bar appears
constexpr double kBarInterval = 0.05;  // seconds between two drawings
constexpr int kBarCells = 30;

LogLevel g_level = LogLevel::kNormal;
std::string g_color = "auto";

void write_line(const char* color, const char* label, const std::string& text) {
  const bool use = log_color() && *color != '\0';
  std::fprintf(stderr, "%sember: %s%s%s\n", use ? color : "", label, text.c_str(),
               use ? "\033[0m" : "");
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level = level;
}
LogLevel log_level() {
  return g_level;
}
void set_log_color(const std::string& when) {
  g_color = when;
}

bool stderr_is_tty() {
  return isatty(STDERR_FILENO) == 1;
}
bool stdout_is_tty() {
  return isatty(STDOUT_FILENO) == 1;
}

bool log_color() {
  if (g_color != "auto") {
    return g_color == "always";
  }
  return stderr_is_tty() && !env_text(EnvVar::kNoColor);
}

void write_notice(const std::string& text) {
  if (g_level != LogLevel::kQuiet) {
    write_line("", "", text);
  }
}
void write_verbose(const std::string& text) {
  if (g_level == LogLevel::kVerbose) {
    write_line("\033[2m", "", text);
  }
}
void write_warning(const std::string& text) {
  write_line("\033[33m", "warning: ", text);
}

ProgressBar::ProgressBar(const std::string& what, const std::string& unit)
    : what_(what), unit_(unit), start_(now_seconds()) {}

void ProgressBar::update(double done, double total) {
  const double now = now_seconds();
  if (!stderr_is_tty() || g_level == LogLevel::kQuiet || now - start_ < kBarDelay ||
      now - last_drawn_ < kBarInterval) {
    return;
  }
  last_drawn_ = now;
  drawn_ = true;
  const double share = total > 0 ? std::clamp(done / total, 0.0, 1.0) : 0.0;
  const int full = static_cast<int>(share * kBarCells);
  const int digits = total < 100 ? 2 : 0;
  std::fprintf(stderr, "\r\033[K%s [%s%s] %3.0f%%  %.*f/%.*f %s", what_.c_str(),
               std::string(static_cast<size_t>(full), '#').c_str(),
               std::string(static_cast<size_t>(kBarCells - full), '.').c_str(), share * 100, digits,
               done, digits, total, unit_.c_str());
  std::fflush(stderr);
}

ProgressBar::~ProgressBar() {
  if (drawn_) {
    std::fprintf(stderr, "\r\033[K");
    std::fflush(stderr);
  }
}

}  // namespace ember
