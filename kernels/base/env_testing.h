// SPDX-License-Identifier: Apache-2.0
// For tests alone: an environment variable with another value, as long as this lives.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "kernels/base/env.h"

namespace ember {

class ScopedEnv {
 public:
  ScopedEnv(std::string name, const std::string& value) : name_(std::move(name)) {
    for (const EnvDoc& d : env_table()) {
      before_ = d.name == name_ ? env_text(d.id) : before_;
    }
    setenv(name_.c_str(), value.c_str(), 1);
  }
  ~ScopedEnv() { before_ ? setenv(name_.c_str(), before_->c_str(), 1) : unsetenv(name_.c_str()); }
  ScopedEnv(const ScopedEnv&) = delete;
  ScopedEnv& operator=(const ScopedEnv&) = delete;

 private:
  std::string name_;
  std::optional<std::string> before_;
};

}  // namespace ember
