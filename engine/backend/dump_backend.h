// SPDX-License-Identifier: Apache-2.0
// A decorator that hands every tapped intermediate to a callback, as host memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/backend/forwarding_backend.h"

namespace ember {

class TapBackend : public ForwardingBackend {
 public:
  // `values` is host memory with the tapped shape; valid during the call. Rank 2 (T, w), or rank 3
  // (K, T, E) for kKRope. On the CPU it is the live buffer, not a copy.
  using Sink = std::function<void(const TapPoint& at, const TensorView& values)>;
  // Which taps the sink gets; the others cost nothing. Null: all.
  using Wanted = std::function<bool(const TapPoint& at)>;

  enum class Access {
    kRead,
    kWrite,  // what the sink writes into `values` replaces the intermediate (reference feeding)
  };

  TapBackend(std::unique_ptr<IBackend> inner, Sink sink, Access access = Access::kRead,
             Wanted wanted = nullptr)
      : ForwardingBackend(std::move(inner)),
        sink_(std::move(sink)),
        wanted_(std::move(wanted)),
        access_(access) {}

  bool wants_taps() const override { return true; }
  void tap(const TapPoint& at, const TensorView& v) override;

 private:
  Sink sink_;
  Wanted wanted_;
  Access access_;
  std::vector<std::byte> host_, read_;  // what the sink sees, and what it was before
};

// (T, w) F32 rows of a tapped host tensor: 16-bit values widened, the planes of a rank-3 tensor
// (K, T, E) laid side by side as K*E columns.
std::vector<float> tap_rows(const TensorView& values);

}  // namespace ember
