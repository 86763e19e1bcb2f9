// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device.h"
#include "kernels/base/stream.h"

namespace ember {

// One implementation of an op with parameters P, so that tests and benches loop over all of them.
template <class P>
struct Impl {
  const char* name;
  DeviceKind device;
  void (*run)(const P&, Stream);
};

}  // namespace ember
