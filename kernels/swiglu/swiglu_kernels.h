// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ember::k {

// y = scale * silu(gate) * up over n elements; y may be gate or up.
using SwigluKernel = void (*)(const float* gate, const float* up, float* y, float scale, int64_t n);

namespace plain {
extern const SwigluKernel swiglu_kernel;
}
namespace avx2 {
extern const SwigluKernel swiglu_kernel;
}
namespace avx512 {
extern const SwigluKernel swiglu_kernel;
}

}  // namespace ember::k
