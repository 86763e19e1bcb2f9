// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/model_shape.h"

namespace ember {

const std::vector<ModelPreset>& model_presets() {
  static const std::vector<ModelPreset> presets = {
      //              L   D     H   K  E    F      V       tied
      {"qwen3-0.6b", {28, 1024, 16, 8, 128, 3072, 151936, true}},
      {"qwen3-1.7b", {28, 2048, 16, 8, 128, 6144, 151936, true}},
      {"qwen3-4b", {36, 2560, 32, 8, 128, 9728, 151936, true}},
      {"qwen3-8b", {36, 4096, 32, 8, 128, 12288, 151936, false}},
      {"qwen3-14b", {40, 5120, 40, 8, 128, 17408, 151936, false}},
      {"tiny", {4, 256, 4, 2, 128, 768, 2048, true}},
  };
  return presets;
}

const ModelPreset* find_preset(const std::string& name) {
  for (const ModelPreset& p : model_presets()) {
    if (p.name == name) {
      return &p;
    }
  }
  return nullptr;
}

}  // namespace ember
