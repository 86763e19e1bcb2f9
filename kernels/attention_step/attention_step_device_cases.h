// SPDX-License-Identifier: Apache-2.0
// Cases for tests of attention_step on a device: what of the kernel a case runs, and the few cases
// of all that run everything. Included by *_test.cpp alone.
#pragma once

#include "kernels/attention_step/attention_step_cases.h"
#include "kernels/attention_step/attention_step_plan.h"
#include "kernels/common/few_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {

inline std::vector<AttentionStepCase> attention_step_model_cases() {
  std::vector<AttentionStepCase> all;
  for (DType t : {DType::kF16, DType::kBF16}) {
    for (const std::vector<int64_t>& pos :
         {std::vector<int64_t>{0}, {127}, {383}, {511}, {512}, {1023}, {5, 900, 64, 0, 33}}) {
      for (const AttentionStepCase& c : attention_step_preset_cases(pos, t)) {
        all.push_back(c);
      }
    }
  }
  return all;
}

// Every length up to several shares, then some.
inline std::vector<AttentionStepCase> attention_step_length_cases() {
  std::vector<AttentionStepCase> all;
  for (int64_t pos = 0; pos < 1500; pos += pos < 300 ? 1 : 37) {
    all.push_back(attention_step_case("length", 4, 2, pos % 2 ? 64 : 128, {pos}, DType::kBF16));
  }
  return all;
}

inline std::vector<AttentionStepCase> attention_step_long_cases() {
  return {attention_step_case("long", 32, 8, 128, {8191}, DType::kBF16),
          attention_step_case("long", 16, 8, 128, {32767}, DType::kBF16),
          attention_step_case("long", 40, 8, 128, {40959}, DType::kF16),
          attention_step_case("long", 4, 2, 64, {32000}, DType::kF16),
          attention_step_case("long", 10, 2, 128, {12345, 3}, DType::kBF16)};
}

// Every number of sequences, of one length and of lengths that cut sequences anywhere.
inline std::vector<AttentionStepCase> attention_step_batch_cases() {
  std::vector<AttentionStepCase> all;
  const auto add = [&](int64_t H, int64_t K, int64_t E, const std::vector<int64_t>& pos, DType t) {
    all.push_back(attention_step_case("batch", H, K, E, pos, t));
  };
  for (int64_t B = 1; B <= kMaxStepSequences; ++B) {
    std::vector<int64_t> equal, mixed, steep;
    for (int64_t b = 0; b < B; ++b) {
      equal.push_back(500);
      mixed.push_back(b * 1013 % 787);
      steep.push_back(b % 5 == 2 ? 3000 : b);
    }
    add(16, 8, 128, equal, B % 2 ? DType::kBF16 : DType::kF16);
    add(10, 2, 128, mixed, B % 2 ? DType::kBF16 : DType::kF16);
    add(8, 2, B % 3 ? 128 : 64, steep, B % 2 ? DType::kF16 : DType::kBF16);
  }
  return all;
}

// What only long caches and large batches run, in every instance and with little work: a ring that
// wraps in one share and in many, parts of more than 16 shares, several sequences in a share.
inline std::vector<AttentionStepCase> attention_step_lean_cases() {
  std::vector<AttentionStepCase> all;
  for (DType t : {DType::kF16, DType::kBF16}) {
    for (int64_t E : {64, 128}) {
      for (int64_t group : {2, 8}) {
        const auto add = [&](int64_t K, const std::vector<int64_t>& pos) {
          all.push_back(attention_step_case("lean", group * K, K, E, pos, t));
        };
        add(1, {3});
        add(1, {490});
        add(1, {700});
        add(1, {20 * 256 + 5});
        add(1, {800, 700});
        add(1, {3, 40, 9, 700, 0});
      }
    }
  }
  return all;
}

// What of the kernel a case runs on a device of so many SMs and so much shared memory a block: the
// instance, how often its loops go round, which ends are ragged, which dtypes are converted.
inline std::vector<std::string> attention_step_features(const AttentionStepCase& c, int sm_count,
                                                        int64_t shared_bytes) {
  const int64_t B = static_cast<int64_t>(c.pos.size());
  AttentionStepParams p;
  p.count = B;
  const int64_t width = (c.H + 2 * c.K) * c.E + 8;
  p.o = TensorView(nullptr, c.o, {B, c.H * c.E});
  p.o.row_stride = c.H * c.E + 4;
  p.q = TensorView(nullptr, c.in, {B, c.H * c.E});
  p.k = p.v = TensorView(nullptr, c.in, {B, c.K * c.E});
  if (c.fused) {
    p.q.row_stride = p.k.row_stride = p.v.row_stride = width;
  }
  p.q_norm = p.k_norm = TensorView(nullptr, c.gain, {c.E});
  p.cos = p.sin = TensorView(nullptr, DType::kF32, {1, c.E / 2});
  std::vector<int> first;  // group of each sequence, and of the end
  int total = 0, longest = 0;
  bool ragged = false;
  for (int64_t b = 0; b < B; ++b) {
    const TensorView cache(nullptr, c.cache, {c.K, c.pos[b] + 1, c.E});
    p.slots[b] = {cache, cache, c.pos[b], nullptr};
    first.push_back(total);
    total += static_cast<int>(c.pos[b] / kStepKeys + 1);
    ragged = ragged || (c.pos[b] + 1) % kStepKeys != 0;
  }
  first.push_back(total);
  const AttentionStepPlan plan = plan_attention_step(p, sm_count, shared_bytes);
  const auto named = [](DType t) { return std::string(dtype_name(t)); };
  if (plan.kernel == AttentionStepKernel::kPrimitives) {
    const std::string name = "primitives " + named(c.cache);
    return {name, name + " in " + named(c.in), name + " sequences " + up_to(B, 2)};
  }
  const int shares = step_shares(total, static_cast<int>(B), plan.ranks, plan.alone, plan.least);
  int parts = 0, together = 0;
  for (int64_t b = 0; b < B; ++b) {
    parts = std::max(parts, step_share_of(first[b + 1] - 1, total, shares) -
                                step_share_of(first[b], total, shares) + 1);
  }
  for (int s = 0; s < shares; ++s) {
    const int lo = step_cut(s, total, shares), hi = step_cut(s + 1, total, shares);
    longest = std::max(longest, hi - lo);
    int here = 0;
    for (int64_t b = 0; b < B; ++b) {
      here += first[b] < hi && first[b + 1] > lo ? 1 : 0;
    }
    together = std::max(together, here);
  }
  const int rounds = (longest + plan.warps - 1) / plan.warps;
  const std::string name = named(c.cache) + " " + std::to_string(c.E) + " warps " +
                           std::to_string(plan.warps) + " stages " + std::to_string(plan.stages);
  const std::string in_parts = parts == 1    ? " whole"
                               : parts <= 16 ? " in 2-16 parts"
                                             : " in 17+ parts";
  const std::string ring = rounds > plan.stages ? " ring wraps" : " ring once";
  return {
      name,
      name + in_parts + ring,
      name + in_parts + " sequences of a share " + up_to(together, 3),
      name + ring + " sequences of a share " + up_to(together, 3),
      name + (ragged ? " ragged" : " full groups") + (longest < plan.warps ? " idle warps" : ""),
      name + (c.H / c.K + 2 > plan.warps ? " heads in two rounds" : " heads in one round"),
      name + " sequences " + up_to(B, 2),
      name + " in " + named(c.in),
      name + " gain " + named(c.gain),
      name + " o " + named(c.o)};
}

inline int64_t attention_step_work(const AttentionStepCase& c) {
  int64_t positions = 0;
  for (int64_t pos : c.pos) {
    positions += pos + 1 + 4 * kStepKeys;
  }
  return c.K * c.E * positions * std::max<int64_t>(1, c.H / c.K / kStepRows);
}

inline std::vector<AttentionStepCase> attention_step_device_cases() {
  std::vector<AttentionStepCase> all = attention_step_edge_cases();
  for (const auto& list :
       {attention_step_model_cases(), attention_step_length_cases(), attention_step_long_cases(),
        attention_step_batch_cases(), attention_step_lean_cases()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

inline std::vector<AttentionStepCase> attention_step_few_cases(int sm_count, int64_t shared_bytes) {
  return cheapest_of_each(
      attention_step_device_cases(),
      [&](const AttentionStepCase& c) {
        return attention_step_features(c, sm_count, shared_bytes);
      },
      attention_step_work);
}

}  // namespace ember::k::testing
