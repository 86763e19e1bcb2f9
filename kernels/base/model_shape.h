// SPDX-License-Identifier: Apache-2.0
// The dimensions that every kernel shape derives from, and the presets of the Qwen3 dense family.
// Letters as in docs/glossary.md. Nothing may assume D = H*E: 0.6B has D 1024 and H*E 2048.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ember {

struct ModelShape {
  int64_t L = 0;      // decoder layers
  int64_t D = 0;      // hidden size
  int64_t H = 0;      // query heads
  int64_t K = 0;      // key/value heads; divides H
  int64_t E = 0;      // head dimension
  int64_t F = 0;      // feed-forward (intermediate) size
  int64_t V = 0;      // vocabulary rows of embedding and head
  bool tied = false;  // the head is the embedding matrix

  int64_t q_dim() const { return H * E; }
  int64_t kv_dim() const { return K * E; }
  int64_t groups() const { return H / K; }
};

struct ModelPreset {
  std::string name;  // "qwen3-0.6b"
  ModelShape shape;
};

// qwen3-0.6b, 1.7b, 4b, 8b, 14b (values of the published config.json files), and tiny.
const std::vector<ModelPreset>& model_presets();
// nullptr when no preset has that name.
const ModelPreset* find_preset(const std::string& name);

}  // namespace ember
