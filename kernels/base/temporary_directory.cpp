// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/temporary_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "kernels/base/error.h"

namespace ember {

TemporaryDirectory::TemporaryDirectory() {
  std::error_code none;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(none);
  path_ = ((none ? std::filesystem::path("/tmp") : parent) / "ember-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) {
    fail(ErrorKind::kUsage, path_, ": cannot create a temporary directory: ", std::strerror(errno),
         "; TMPDIR says where else");
  }
}

TemporaryDirectory::~TemporaryDirectory() {
  if (!kept_) {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
}

}  // namespace ember
