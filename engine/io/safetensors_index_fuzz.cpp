// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "engine/io/checkpoint.h"
#include "kernels/base/error.h"

// Any text is either refused as bad input, or names shards that stay inside the directory.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const ember::SafetensorsIndex index = ember::SafetensorsIndex::parse(text, "fuzz");
    for (const std::string& shard : index.shards) {
      if (shard.empty() || shard == "." || shard == ".." || shard.find('/') != std::string::npos ||
          shard.find('\0') != std::string::npos) {
        std::abort();
      }
    }
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kBadInput) {
      std::abort();
    }
  }
  return 0;
}
