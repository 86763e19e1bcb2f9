// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "engine/io/safetensors.h"
#include "kernels/base/error.h"

// Any bytes are either refused as bad input, or give tensors that lie within them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto file = ember::SafetensorsFile::parse(bytes, "fuzz");
    int64_t end = -1;
    for (const ember::TensorEntry& t : file->tensors()) {
      if (t.offset < 8 || t.bytes < 0 || t.offset > static_cast<int64_t>(size) - t.bytes ||
          (end >= 0 && t.offset != end) || file->find(t.name) != &t) {
        std::abort();
      }
      end = t.offset + t.bytes;
      volatile char touched = 0;
      for (int64_t i = 0; t.view.data && i < t.bytes; ++i) {
        touched = touched ^ static_cast<const char*>(t.view.data)[i];
      }
    }
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kBadInput) {
      std::abort();
    }
  }
  return 0;
}
