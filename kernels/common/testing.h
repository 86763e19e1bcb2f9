// SPDX-License-Identifier: Apache-2.0
// What the tests of all ops share: random tensors between guard bands, the tolerance rule,
// comparison. Included by *_test.cpp alone.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/base/buffer.h"
#include "kernels/base/parallel.h"
#include "kernels/common/convert.h"
#include "kernels/common/isa.h"

namespace ember::k::testing {

// Uniform in [-1, 1), a function of seed and index alone.
inline float noise(uint64_t seed, uint64_t index) {
  uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u + index * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<float>(static_cast<int64_t>(z >> 40) - (1 << 23)) / (1 << 23);
}

// A tensor in memory of its own, with guard bands around it and, where the row stride leaves
// room, between its rows. Everything starts as the guard pattern, a NaN in each float dtype.
class TestTensor {
 public:
  static constexpr int64_t kBand = 256;
  static constexpr unsigned char kGuard = 0xff;

  TestTensor(DType dtype, const Shape& shape, int64_t padding = 0) {
    const int64_t rows = shape.last() == 0 ? 0 : shape.numel() / shape.last();
    const int64_t stride = shape.last() + (shape.rank() < 2 ? 0 : padding);
    buffer_ = Buffer(2 * kBand + rows * stride * dtype_bytes(dtype), Buffer::Fill::kPoison);
    view_ = TensorView(buffer_.data() + kBand, dtype, shape);
    view_.row_stride = stride;
  }

  // Fills with centre + scale * noise.
  TestTensor& randomise(uint64_t seed, float scale = 1.0f, float centre = 0.0f) {
    std::vector<float> row(view_.shape.last());
    for (int64_t r = 0; r < rows(); ++r) {
      for (int64_t i = 0; i < view_.shape.last(); ++i) {
        row[i] = centre + scale * noise(seed, r * view_.shape.last() + i);
      }
      from_f32(row.data(), view_.dtype, row_ptr(view_, r), view_.shape.last());
    }
    return *this;
  }

  const TensorView& view() const { return view_; }
  operator const TensorView&() const { return view_; }
  int64_t rows() const { return view_.shape.last() == 0 ? 0 : view_.numel() / view_.shape.last(); }

  // False when a byte outside the tensor's elements has changed.
  bool guards_intact() const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(buffer_.data());
    const int64_t size = dtype_bytes(view_.dtype), used = view_.shape.last() * size;
    for (int64_t i = 0; i < buffer_.bytes(); ++i) {
      const int64_t at = i - kBand;
      const bool inside =
          at >= 0 && at < rows() * view_.row_stride * size && at % (view_.row_stride * size) < used;
      if (!inside && bytes[i] != kGuard) {
        return false;
      }
    }
    return true;
  }

  bool same_bytes(const TestTensor& o) const {
    return buffer_.bytes() == o.buffer_.bytes() &&
           std::memcmp(buffer_.data(), o.buffer_.data(), buffer_.bytes()) == 0;
  }

 private:
  Buffer buffer_;
  TensorView view_;
};

// All elements in order, padding left out.
inline std::vector<float> values(const TensorView& v) {
  const int64_t n = v.shape.last(), rows = n == 0 ? 0 : v.numel() / n;
  std::vector<float> out(rows * n);
  for (int64_t r = 0; r < rows; ++r) {
    to_f32(v.dtype, row_ptr(v, r), out.data() + r * n, n);
  }
  return out;
}

// Half the distance from 1 to the next number.
inline double epsilon(DType t) {
  switch (t) {
    case DType::kF16:
      return std::ldexp(1.0, -11);
    case DType::kBF16:
      return std::ldexp(1.0, -8);
    default:
      return std::ldexp(1.0, -24);
  }
}

// The one rule: the rounding of the result, plus fp32 rounding errors that add up like a random
// walk over `terms` steps of size `typical`. The slack covers the worst of many elements.
inline double tolerance(DType result, double want, int64_t terms, double typical) {
  constexpr double kSlack = 6;
  const double smallest = result == DType::kF16 ? std::ldexp(1.0, -25) : std::ldexp(1.0, -150);
  return epsilon(result) * std::fabs(want) * 1.001 + smallest +
         kSlack * epsilon(DType::kF32) * std::sqrt(static_cast<double>(terms)) * typical;
}

// Root mean square of all elements.
inline double rms(const TensorView& v) {
  double total = 0;
  const std::vector<float> x = values(v);
  for (float f : x) {
    total += static_cast<double>(f) * f;
  }
  return x.empty() ? 0 : std::sqrt(total / static_cast<double>(x.size()));
}

// Every element within tolerance; NaN never is.
inline ::testing::AssertionResult close(const TensorView& got, const std::vector<double>& want,
                                        int64_t terms, double typical) {
  const std::vector<float> g = values(got);
  if (g.size() != want.size()) {
    return ::testing::AssertionFailure() << g.size() << " elements, expected " << want.size();
  }
  for (size_t i = 0; i < g.size(); ++i) {
    const double error = std::fabs(g[i] - want[i]);
    const double allowed = tolerance(got.dtype, want[i], terms, typical);
    if (!(error <= allowed)) {
      return ::testing::AssertionFailure() << "element " << i << " of " << got.shape.str() << ": "
                                           << g[i] << ", expected " << want[i] << " +- " << allowed;
    }
  }
  return ::testing::AssertionSuccess();
}

inline std::vector<double> doubles(const TensorView& v) {
  const std::vector<float> x = values(v);
  return std::vector<double>(x.begin(), x.end());
}

// The kind of Error that `f` throws, with the words its message must hold.
template <class F>
::testing::AssertionResult throws(ErrorKind kind, const std::string& words, const F& f) {
  try {
    f();
  } catch (const Error& e) {
    if (e.kind() == kind && std::string(e.what()).find(words) != std::string::npos) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << name(e.kind()) << ": " << e.what();
  }
  return ::testing::AssertionFailure() << "nothing thrown";
}

// Runs `f` once for every instruction set of this CPU.
template <class F>
void for_each_isa(const F& f) {
  for (CpuIsa isa : usable_isas()) {
    SCOPED_TRACE(name(isa));
    force_cpu_isa(isa);
    f();
    force_cpu_isa(std::nullopt);
  }
}

constexpr DType kFloatDTypes[] = {DType::kF32, DType::kF16, DType::kBF16};

}  // namespace ember::k::testing
