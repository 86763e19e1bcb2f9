// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "engine/io/json.h"

namespace ember {

// Names out of a file for a message, each with a remark: the first ten, then how many more.
class NameList {
 public:
  void add(const std::string& name, const std::string& remark = "") {
    if (++count_ <= 10) {
      text_ += (count_ > 1 ? ", " : "") + printable(name) + remark;
    }
  }
  bool empty() const { return count_ == 0; }
  int64_t count() const { return count_; }
  std::string text() const {
    return count_ <= 10 ? text_ : text_ + " and " + std::to_string(count_ - 10) + " more";
  }

 private:
  int64_t count_ = 0;
  std::string text_;
};

}  // namespace ember
