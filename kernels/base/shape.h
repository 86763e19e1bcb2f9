// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "kernels/base/error.h"

namespace ember {

// Up to four dimensions, outermost first. A dimension may be 0: the tensor is then empty.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : Shape(dims.begin(), dims.size()) {}
  Shape(const int64_t* dims, size_t rank) {
    EMBER_CHECK(rank <= kMaxRank, "a shape has at most 4 dimensions, got ", rank);
    for (size_t i = 0; i < rank; ++i) {
      EMBER_CHECK(dims[i] >= 0, "negative dimension ", dims[i]);
      dims_[rank_++] = dims[i];
    }
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t last() const { return rank_ == 0 ? 1 : dims_[rank_ - 1]; }

  // Product of the dimensions; throws when it does not fit in int64.
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) {
      EMBER_CHECK(!__builtin_mul_overflow(n, dims_[i], &n), "shape ", str(), " overflows");
    }
    return n;
  }

  bool operator==(const Shape& o) const {
    if (rank_ != o.rank_) {
      return false;
    }
    for (int i = 0; i < rank_; ++i) {
      if (dims_[i] != o.dims_[i]) {
        return false;
      }
    }
    return true;
  }
  bool operator!=(const Shape& o) const { return !(*this == o); }

  // "(2, 3)"
  std::string str() const {
    std::string s = "(";
    for (int i = 0; i < rank_; ++i) {
      s += (i ? ", " : "") + std::to_string(dims_[i]);
    }
    return s + ")";
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace ember
