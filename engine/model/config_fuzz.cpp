// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdlib>

#include "engine/model/config.h"
#include "engine/model/generation_config.h"
#include "engine/model/rope.h"
#include "engine/model/weight_schema.h"
#include "kernels/base/error.h"

namespace {

template <class F>
void refused_or_fine(const F& parse) {
  try {
    parse();
  } catch (const ember::Error& e) {
    if (e.kind() != ember::ErrorKind::kBadInput) {
      std::abort();
    }
  }
}

}  // namespace

// Any text is either refused as bad input, or a config whose shapes and frequencies are usable.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  refused_or_fine([&] {
    const ember::ModelConfig config = ember::parse_config(text, "fuzz");
    if (config.shape.H % config.shape.K != 0 || ember::parameter_count(config.shape) <= 0) {
      std::abort();
    }
    for (const float f : ember::rope_inv_freq(config.rope, config.shape.E)) {
      if (std::isnan(f)) {
        std::abort();
      }
    }
  });
  refused_or_fine([&] { ember::parse_generation_config(text, "fuzz"); });
  return 0;
}
