// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ember {

// A CUDA stream without CUDA's headers: CUstream_st* behind an opaque pointer. The CPU ignores it.
struct Stream {
  void* handle = nullptr;
};

}  // namespace ember
