// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace ember {

// A file of a test's own, gone when the test is.
class TempFile {
 public:
  explicit TempFile(const std::string& content = "") {
    path = "/tmp/ember_cli_XXXXXX";
    close(mkstemp(path.data()));
    std::ofstream(path, std::ios::binary) << content;
  }
  ~TempFile() { std::remove(path.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  std::string read() const {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }

  std::string path;
};

}  // namespace ember
