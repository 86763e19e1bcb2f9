// SPDX-License-Identifier: Apache-2.0
// For tests alone, beside gtest/gtest.h: a test that needs a GPU is skipped without one, and says
// why there is none.
#pragma once

#include <string>

#include "kernels/base/device.h"

#define EMBER_NEEDS_CUDA()                   \
  do {                                       \
    std::string why;                         \
    if (ember::cuda_devices(&why).empty()) { \
      GTEST_SKIP() << "no GPU: " << why;     \
    }                                        \
  } while (false)
