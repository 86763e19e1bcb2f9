// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ember::k {

// The BLAS library in use and the kernels it chose for this CPU: "OpenBLAS 0.3.21 ... SkylakeX".
std::string blas_info();
// Of cuBLASLt: "13.0.2". Empty in a build without CUDA.
std::string cuda_blas_version();

}  // namespace ember::k
