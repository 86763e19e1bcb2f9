// SPDX-License-Identifier: Apache-2.0
#include "engine/model/weight_schema.h"

namespace ember {
namespace {

using S = const ModelShape&;

}  // namespace

const std::vector<WeightRow>& weight_schema() {
  using R = WeightRole;
  static const std::vector<WeightRow> rows = {
      {R::kEmbedding, "model.embed_tokens.weight", false, false,
       [](S s) {
         return Shape{s.V, s.D};
       }},
      {R::kInputNorm, "model.layers.{}.input_layernorm.weight", true, true,
       [](S s) { return Shape{s.D}; }},
      {R::kQ, "model.layers.{}.self_attn.q_proj.weight", true, false,
       [](S s) {
         return Shape{s.q_dim(), s.D};
       }},
      {R::kK, "model.layers.{}.self_attn.k_proj.weight", true, false,
       [](S s) {
         return Shape{s.kv_dim(), s.D};
       }},
      {R::kV, "model.layers.{}.self_attn.v_proj.weight", true, false,
       [](S s) {
         return Shape{s.kv_dim(), s.D};
       }},
      {R::kQNorm, "model.layers.{}.self_attn.q_norm.weight", true, true,
       [](S s) { return Shape{s.E}; }},
      {R::kKNorm, "model.layers.{}.self_attn.k_norm.weight", true, true,
       [](S s) { return Shape{s.E}; }},
      {R::kO, "model.layers.{}.self_attn.o_proj.weight", true, false,
       [](S s) {
         return Shape{s.D, s.q_dim()};
       }},
      {R::kPostNorm, "model.layers.{}.post_attention_layernorm.weight", true, true,
       [](S s) { return Shape{s.D}; }},
      {R::kGate, "model.layers.{}.mlp.gate_proj.weight", true, false,
       [](S s) {
         return Shape{s.F, s.D};
       }},
      {R::kUp, "model.layers.{}.mlp.up_proj.weight", true, false,
       [](S s) {
         return Shape{s.F, s.D};
       }},
      {R::kDown, "model.layers.{}.mlp.down_proj.weight", true, false,
       [](S s) {
         return Shape{s.D, s.F};
       }},
      {R::kFinalNorm, "model.norm.weight", false, true, [](S s) { return Shape{s.D}; }},
      {R::kHead, "lm_head.weight", false, false,
       [](S s) {
         return Shape{s.V, s.D};
       }},
  };
  return rows;
}

const WeightRow& weight_row(WeightRole role) {
  const WeightRow& row = weight_schema()[static_cast<size_t>(role)];
  EMBER_CHECK(row.role == role, "the rows stand in the order of the enumeration");
  return row;
}

std::string weight_name(WeightRole role, int64_t layer) {
  const WeightRow& row = weight_row(role);
  std::string name = row.name;
  if (row.per_layer) {
    EMBER_CHECK(layer >= 0, name, " needs a layer, got ", layer);
    name.replace(name.find("{}"), 2, std::to_string(layer));
  }
  return name;
}

void for_each_weight(const ModelShape& shape,
                     const std::function<void(const WeightRow& row, int64_t layer)>& f) {
  const std::vector<WeightRow>& rows = weight_schema();
  f(weight_row(WeightRole::kEmbedding), -1);
  for (int64_t layer = 0; layer < shape.L; ++layer) {
    for (const WeightRow& row : rows) {
      if (row.per_layer) {
        f(row, layer);
      }
    }
  }
  f(weight_row(WeightRole::kFinalNorm), -1);
  if (!shape.tied) {
    f(weight_row(WeightRole::kHead), -1);
  }
}

int64_t parameter_count(const ModelShape& shape) {
  int64_t total = 0;
  for (const WeightRow& row : weight_schema()) {
    if (row.role == WeightRole::kHead && shape.tied) {
      continue;
    }
    const int64_t n = row.shape(shape).numel();
    const int64_t copies = row.per_layer ? shape.L : 1;
    int64_t all;
    EMBER_CHECK(
        !__builtin_mul_overflow(n, copies, &all) && !__builtin_add_overflow(total, all, &total),
        "the model's parameter count does not fit in 64 bits");
  }
  return total;
}

}  // namespace ember
