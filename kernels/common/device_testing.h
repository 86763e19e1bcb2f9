// SPDX-License-Identifier: Apache-2.0
// How tests run an op on a CUDA device with operands that lie on the host: copies of the operands
// with their guard bands, run, everything copied back. Included by *_cuda_test.cpp alone.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/base/cuda_memory.h"
#include "kernels/common/cuda_testing.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {

inline OwnedStream& test_stream() {
  static OwnedStream* stream =
      std::make_unique<OwnedStream>(DeviceId{DeviceKind::kCuda, 0}).release();
  return *stream;
}

// Device copies of the memory behind host views that have elements, guard bands included. Views
// that share memory on the host share it on the device; addresses keep their remainder by 256.
class DeviceMirror {
 public:
  explicit DeviceMirror(const std::vector<TensorView*>& views) {
    std::map<std::byte*, std::byte*> ranges;  // begin -> end, on the host
    for (const TensorView* v : views) {
      if (v->numel() > 0) {
        ranges[begin_of(*v)] = std::max(ranges[begin_of(*v)], end_of(*v));
      }
    }
    for (const auto& [begin, end] : ranges) {
      if (!pieces_.empty() && begin < pieces_.back().end) {
        pieces_.back().end = std::max(pieces_.back().end, end);
      } else {
        pieces_.push_back({begin, end, {}, nullptr});
      }
    }
    for (Piece& p : pieces_) {
      p.memory = Buffer(p.end - p.begin + 256, Buffer::Fill::kPoison, device(), "mirror");
      p.device_begin = p.memory.data() + reinterpret_cast<uintptr_t>(p.begin) % 256;
      cuda::copy_async(p.device_begin, p.begin, p.end - p.begin, test_stream().get());
    }
    for (TensorView* v : views) {
      if (v->data != nullptr) {
        v->data = v->numel() > 0 ? at(static_cast<std::byte*>(v->data)) : nullptr;
        v->device = device();
      }
    }
    synchronize(test_stream().get());
  }

  void copy_back() {
    for (const Piece& p : pieces_) {
      cuda::copy_async(p.begin, p.device_begin, p.end - p.begin, test_stream().get());
    }
    synchronize(test_stream().get());
  }

  static DeviceId device() { return {DeviceKind::kCuda, 0}; }

 private:
  struct Piece {
    std::byte *begin, *end;
    Buffer memory;
    std::byte* device_begin;
  };

  static std::byte* begin_of(const TensorView& v) {
    return static_cast<std::byte*>(v.data) - TestTensor::kBand;
  }
  static std::byte* end_of(const TensorView& v) {
    const int rank = v.shape.rank();
    int64_t elements = v.shape.last();
    if (rank == 4) {
      elements = v.numel();
    } else if (rank >= 2) {
      elements += (v.shape[rank - 2] - 1) * v.row_stride;
      elements += rank == 3 ? (v.shape[0] - 1) * v.plane_stride : 0;
    }
    return static_cast<std::byte*>(v.data) + elements * dtype_bytes(v.dtype) + TestTensor::kBand;
  }
  std::byte* at(std::byte* host) const {
    for (const Piece& p : pieces_) {
      if (host >= p.begin && host < p.end) {
        return p.device_begin + (host - p.begin);
      }
    }
    fail(ErrorKind::kInternal, "a view outside the mirror");
  }

  std::vector<Piece> pieces_;
};

// Runs the op on copies of the operands that `views` lists, which are members of p.
template <class P>
void run_on_device(void (*op)(const P&, Stream), P p, const std::vector<TensorView*> (*views)(P&)) {
  DeviceMirror mirror(views(p));
  op(p, test_stream().get());
  mirror.copy_back();
}

// As close(), with room for an error of `extra` on top in every element.
inline ::testing::AssertionResult close_within(const TensorView& got,
                                               const std::vector<double>& want, int64_t terms,
                                               double typical, double extra) {
  const std::vector<float> g = values(got);
  if (g.size() != want.size()) {
    return ::testing::AssertionFailure() << g.size() << " elements, expected " << want.size();
  }
  for (size_t i = 0; i < g.size(); ++i) {
    const double error = std::fabs(g[i] - want[i]);
    const double allowed = tolerance(got.dtype, want[i], terms, typical) + extra;
    if (!(error <= allowed)) {
      return ::testing::AssertionFailure() << "element " << i << " of " << got.shape.str() << ": "
                                           << g[i] << ", expected " << want[i] << " +- " << allowed;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace ember::k::testing
