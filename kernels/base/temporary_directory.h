// SPDX-License-Identifier: Apache-2.0
// A directory of one's own for files that nobody keeps. Tests run side by side, so a name made up
// in a test is another test's name too.
#pragma once

#include <string>

namespace ember {

// Under $TMPDIR, or /tmp; removed, with what is in it, at the end of the scope.
class TemporaryDirectory {
 public:
  TemporaryDirectory();  // Error{kUsage} where it cannot be made
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Whether the directory outlives this object.
  void keep(bool kept = true) { kept_ = kept; }

 private:
  std::string path_;
  bool kept_ = false;
};

}  // namespace ember
