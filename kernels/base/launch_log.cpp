// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/launch_log.h"

#include <utility>

#include "kernels/base/error.h"

namespace ember {

std::atomic<LaunchLog*> LaunchLog::active_{nullptr};

LaunchLog::LaunchLog() {
  LaunchLog* none = nullptr;
  EMBER_CHECK(active_.compare_exchange_strong(none, this), "two launch logs at a time");
}

LaunchLog::~LaunchLog() {
  active_.store(nullptr);
}

std::vector<KernelLaunch> LaunchLog::launches() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return launches_;
}

void LaunchLog::add(KernelLaunch launch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  launches_.push_back(std::move(launch));
}

std::string short_function_name(const std::string& demangled) {
  std::string text = demangled;
  const std::string anonymous = "(anonymous namespace)";
  for (size_t at; (at = text.find(anonymous)) != std::string::npos;) {
    text.erase(at, anonymous.size());
  }
  text = text.substr(0, text.find_first_of("<("));
  const size_t before = text.find_last_of(": ");
  return before == std::string::npos ? text : text.substr(before + 1);
}

}  // namespace ember
