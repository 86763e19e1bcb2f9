// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/profile_window.h"

#include "engine/core/log.h"
#include "kernels/base/error.h"
#include "kernels/base/profile.h"

namespace ember {
namespace {

// -1 for anything but one to nine digits.
int64_t number(const std::string& text) {
  const bool digits = !text.empty() && text.size() <= 9 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  return digits ? std::stoll(text) : -1;
}

}  // namespace

ProfileSteps ProfileSteps::parse(const std::string& text) {
  const size_t colon = text.find(':');
  ProfileSteps steps;
  if (colon != std::string::npos) {
    steps.start = number(text.substr(0, colon));
    steps.count = number(text.substr(colon + 1));
  }
  if (colon == std::string::npos || steps.start < 0 || steps.count < 1) {
    fail(ErrorKind::kUsage, "--profile-window: expected START:COUNT in decode steps, as in 32:8 ",
         "(START from 0, COUNT from 1), got '", text, "'");
  }
  return steps;
}

ProfileWindow::~ProfileWindow() {
  if (open_) {
    try {
      profile::stop_capture();
    } catch (const Error& e) {
      warning("--profile-window: ", e.what());
    }
  } else if (steps_.count > 0 && !done_) {
    warning("--profile-window: the text ended before decode step ", steps_.start,
            "; nothing was captured");
  }
}

void ProfileWindow::before(int64_t step) {
  if (steps_.count == 0) {
    return;
  }
  if (step == steps_.start) {
    profile::start_capture();
    open_ = done_ = true;
    verbose("profile window: begins before decode step ", step);
  } else if (open_ && step == steps_.start + steps_.count) {
    open_ = false;
    profile::stop_capture();
    verbose("profile window: ends before decode step ", step);
  }
}

}  // namespace ember
