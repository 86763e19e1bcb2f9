// SPDX-License-Identifier: Apache-2.0
// Cases for tests of attention on a device: lists by what they vary, what of the kernels a case
// runs, and the few cases of all that run everything. Included by *_test.cpp alone.
#pragma once

#include "kernels/attention/attention_cases.h"
#include "kernels/attention/attention_plan.h"
#include "kernels/common/few_cases.h"
#include "kernels/common/testing.h"

namespace ember::k::testing {

inline AttentionCase attention_case(const std::string& name, int64_t T, int64_t H, int64_t K,
                                    int64_t E, int64_t pos, DType t) {
  AttentionCase c;
  c.name = name;
  c.T = T, c.H = H, c.K = K, c.E = E, c.pos = pos;
  c.S = pos + T + 5;
  c.q = c.cache = c.o = t;
  return c;
}

// Group sizes, tokens and positions around the tiles (16, 64, 128) and chunks of the tensor core
// kernels; every fifth combination.
inline std::vector<AttentionCase> attention_tensor_core_cases() {
  std::vector<AttentionCase> cases;
  uint64_t i = 0;
  for (int64_t group : {1, 2, 3, 4, 5, 8, 16}) {
    for (int64_t T : {1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 127, 129}) {
      for (int64_t pos : {0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 511, 1000}) {
        if (++i % 5 != 0) {
          continue;
        }
        AttentionCase c = attention_case("tensor cores", T, 2 * group, 2, i % 2 ? 64 : 128, pos,
                                         i % 3 ? DType::kBF16 : DType::kF16);
        c.o = i % 4 == 0 ? DType::kF32 : c.q;
        c.padding = i % 7 == 0 ? 8 : 0;
        c.seed = i;
        cases.push_back(c);
      }
    }
  }
  return cases;
}

inline std::vector<AttentionCase> attention_model_cases() {
  std::vector<AttentionCase> cases;
  for (DType t : {DType::kF16, DType::kBF16}) {
    for (int64_t T : {1, 2, 37, 200}) {
      for (AttentionCase c : attention_preset_cases(T, 700, t)) {
        c.q = c.o = t;
        cases.push_back(c);
      }
    }
  }
  return cases;
}

inline std::vector<AttentionCase> attention_long_cases() {
  return {attention_case("long", 1, 32, 8, 128, 32767, DType::kBF16),
          attention_case("long", 1, 40, 8, 128, 20000, DType::kF16),
          attention_case("long", 1, 4, 2, 64, 32000, DType::kF16),
          attention_case("long", 100, 4, 1, 128, 8000, DType::kBF16)};
}

// Every length up to several chunks: used blocks, ragged ends, the merge of one to many parts.
inline std::vector<AttentionCase> attention_length_cases() {
  std::vector<AttentionCase> cases;
  for (int64_t pos = 0; pos < 600; pos += pos < 300 ? 1 : 37) {
    cases.push_back(attention_case("length", 1, 4, 1, 128, pos, DType::kBF16));
  }
  return cases;
}

// What only long caches and wide heads run, with as little work as it takes.
inline std::vector<AttentionCase> attention_lean_cases() {
  std::vector<AttentionCase> cases;
  for (DType t : {DType::kF16, DType::kBF16}) {
    for (int64_t E : {64, 128}) {
      cases.push_back(attention_case("three steps a warp", 1, 2, 1, E, 8275, t));
      cases.push_back(attention_case("a ring that wraps", 1, 2, 1, E, 12479, t));
      cases.push_back(attention_case("a ring that wraps", 2, 2, 1, E, 12400, t));
    }
  }
  for (int64_t E : {129, 160, 512}) {
    for (DType t : kFloatDTypes) {
      cases.push_back(attention_case("wide", 3, 4, 2, E, 30, t));
    }
  }
  return cases;
}

// What of the kernels a case runs on a device with so many SMs: the instance, how often its loops
// go round, which ends are ragged, which dtypes are converted.
inline std::vector<std::string> attention_features(const AttentionCase& c, int sm_count) {
  if (c.T == 0) {
    return {"no tokens"};
  }
  AttentionParams p{TensorView(nullptr, c.o, {c.T, c.H * c.E}),
                    TensorView(nullptr, c.q, {c.T, c.H * c.E}),
                    TensorView(nullptr, c.cache, {c.K, c.S, c.E}),
                    TensorView(nullptr, c.cache, {c.K, c.S, c.E}),
                    1.0f,
                    c.pos};
  p.o.row_stride = p.q.row_stride = c.H * c.E + c.padding;
  const int64_t length = c.pos + c.T, rows = c.T * (c.H / c.K);
  const std::string kind = std::string(" ") + dtype_name(c.cache) + " " + std::to_string(c.E);
  const std::string out = std::string(" o ") + dtype_name(c.o);
  const auto tail = [](bool ragged) { return ragged ? " ragged" : " whole"; };
  switch (choose_attention_kernel(p)) {
    case AttentionKernel::kDecode: {
      const std::string name = "decode" + kind;
      const int splits = decode_splits(c.K, sm_count);
      const int64_t chunk = decode_chunk(static_cast<int>(length), splits);
      const int64_t used = (length + chunk - 1) / chunk, last = length - (used - 1) * chunk;
      const std::string blocks = " blocks " + (used == 1    ? std::string("1")
                                               : used <= 16 ? "2-16"
                                                            : "17+");
      const std::string steps =
          " steps " + up_to((std::min(chunk, length) + kDecodeChunkStep - 1) / kDecodeChunkStep, 4);
      const bool idle = last <= kDecodeKeys * (kDecodeWarps - 1);
      return {name,
              name + blocks + steps,
              name + blocks + tail(length % kDecodeKeys != 0) + (idle ? " idle warps" : ""),
              name + " rows" + tail(rows < kDecodeRows),
              name + " tokens " + up_to(c.T, 2),
              name + out};
    }
    case AttentionKernel::kPrefill: {
      const std::string name = "prefill" + kind;
      const std::string blocks = " blocks " + up_to((rows + kPrefillRows - 1) / kPrefillRows, 2);
      const std::string steps = " steps " + up_to((length + kPrefillKeys - 1) / kPrefillKeys, 3);
      return {name, name + blocks + steps, name + steps + " keys" + tail(length % kPrefillKeys),
              name + blocks + " rows" + tail(rows % kPrefillRows), name + out};
    }
    case AttentionKernel::kRows:
      break;
  }
  const std::string name = c.E <= kRowsNarrowE ? "rows narrow" : "rows wide";
  return {name,
          name + " cache " + dtype_name(c.cache),
          name + " q " + dtype_name(c.q),
          name + out,
          name + " head" + tail(c.E % 32) + (c.E < 32 ? " below a warp" : ""),
          name + (c.pos == 0            ? " idle warps"
                  : length > kRowsWarps ? " turns"
                                        : ""),
          name + " tokens " + up_to(c.T, 2)};
}

inline int64_t attention_work(const AttentionCase& c) {
  return 4000 + c.T * c.H * c.E * (c.pos + c.T);
}

inline std::vector<AttentionCase> attention_device_cases() {
  std::vector<AttentionCase> all = attention_edge_cases();
  for (const auto& list :
       {attention_tensor_core_cases(), attention_model_cases(), attention_long_cases(),
        attention_length_cases(), attention_lean_cases()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

inline std::vector<AttentionCase> attention_few_cases(int sm_count) {
  return cheapest_of_each(
      attention_device_cases(),
      [&](const AttentionCase& c) { return attention_features(c, sm_count); }, attention_work);
}

}  // namespace ember::k::testing
