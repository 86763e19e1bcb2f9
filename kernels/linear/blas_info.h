// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace ember::k {

// The BLAS library in use and the kernels it chose for this CPU: "OpenBLAS 0.3.21 ... SkylakeX".
std::string blas_info();

}  // namespace ember::k
