// SPDX-License-Identifier: Apache-2.0
// The folder of a command that starts other processes: where their reports and logs are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "kernels/base/error.h"
#include "kernels/base/temporary_directory.h"

namespace ember {

// The folder that the user names, which stays; or, for "", a temporary one, which stays too until
// done() is called, so that a failure can be looked into.
class WorkFolder {
 public:
  explicit WorkFolder(const std::string& wanted) : path_(wanted) {
    if (wanted.empty()) {
      temporary_.emplace().keep();
      path_ = temporary_->path();
      return;
    }
    std::error_code error;
    std::filesystem::create_directories(path_, error);
    if (error) {
      fail(ErrorKind::kUsage, path_, ": cannot create the folder: ", error.message());
    }
  }
  const std::string& path() const { return path_; }
  bool is_temporary() const { return temporary_.has_value(); }
  // Nothing failed: nobody needs a temporary folder any more.
  void done() {
    if (temporary_) {
      temporary_->keep(false);
      temporary_.reset();
    }
  }

 private:
  std::string path_;
  std::optional<TemporaryDirectory> temporary_;
};

}  // namespace ember
