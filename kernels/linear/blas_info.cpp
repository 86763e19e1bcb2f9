// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/blas_info.h"

// Exported by every OpenBLAS; not every packaged header declares them.
extern "C" char* openblas_get_config(void);
extern "C" char* openblas_get_corename(void);

namespace ember::k {

std::string blas_info() {
  const std::string config = openblas_get_config(), core = openblas_get_corename();
  return config.find(core) == std::string::npos ? config + " " + core : config;
}

}  // namespace ember::k
