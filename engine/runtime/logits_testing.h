// SPDX-License-Identifier: Apache-2.0
// Logits of a whole run, and how far those of two runs lie apart: for tests of the engine.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/runtime.h"

namespace ember {

using Rows = std::vector<std::vector<float>>;

inline std::vector<int32_t> prompt(int64_t n, int64_t vocab, uint32_t seed = 7) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>((seed >> 8) % vocab));
  }
  return ids;
}

inline std::shared_ptr<const IWeightSource> tiny() {
  static const auto source = open_weights("random:tiny:bf16");
  return source;
}

inline std::shared_ptr<const IWeightSource> odd() {
  static const auto source = open_weights(std::string(EMBER_SOURCE_DIR) + "/golden/models/odd");
  return source;
}

inline RuntimeOptions options(std::vector<DeviceId> devices, const std::string& dtype = "auto") {
  RuntimeOptions o;
  o.devices = std::move(devices);
  o.dtype = dtype;
  o.context = 400;
  return o;
}

inline std::vector<float> copy(const TensorView& v) {
  const float* p = v.as<float>();
  return std::vector<float>(p, p + v.numel());
}

// Logits of every position: `prefill` tokens in chunks, the rest one at a time.
inline Rows all_logits(const std::shared_ptr<const IWeightSource>& source, const RuntimeOptions& o,
                       const std::vector<int32_t>& ids, int64_t prefill) {
  const auto runtime = make_runtime(source, o);
  const auto session = runtime->new_session(static_cast<int64_t>(ids.size()) + 5);
  Rows rows(ids.size());
  PrefillOptions p;
  p.all_logits = true;
  p.on_logits = [&](int64_t first, const TensorView& v) {
    for (int64_t r = 0; r < v.shape[0]; ++r) {
      rows.at(first + r) = copy(v.rows(r, 1));
    }
  };
  runtime->prefill(*session, ids.data(), prefill, p);
  for (size_t i = prefill; i < ids.size(); ++i) {
    rows[i] = copy(runtime->decode(*session, ids[i]));
  }
  return rows;
}

// Two sessions in turns end where each ends alone: neither reads what is the other's.
inline void expect_sessions_apart(IRuntime& runtime) {
  const int64_t vocab = runtime.config().shape.V;
  const std::vector<int32_t> ids[2] = {prompt(24, vocab, 1), prompt(40, vocab, 2)};
  constexpr size_t kPrefill = 20;
  const auto begin = [&](const std::vector<int32_t>& of) {
    auto session = runtime.new_session(64);
    runtime.prefill(*session, of.data(), kPrefill);
    return session;
  };
  Rows alone(2), in_turns(2);
  for (int i : {0, 1}) {
    const auto session = begin(ids[i]);
    for (size_t at = kPrefill; at < ids[i].size(); ++at) {
      alone[i] = copy(runtime.decode(*session, ids[i][at]));
    }
  }
  const std::unique_ptr<Session> sessions[2] = {begin(ids[0]), begin(ids[1])};
  for (size_t at = kPrefill; at < ids[1].size(); ++at) {
    for (int i : {0, 1}) {
      if (at < ids[i].size()) {
        in_turns[i] = copy(runtime.decode(*sessions[i], ids[i][at]));
      }
    }
  }
  EXPECT_EQ(in_turns, alone);
}

inline double relative_l2(const Rows& got, const Rows& want) {
  double error = 0, norm = 0;
  for (size_t t = 0; t < want.size(); ++t) {
    for (size_t i = 0; i < want[t].size(); ++i) {
      error += std::pow(static_cast<double>(got[t][i]) - want[t][i], 2);
      norm += std::pow(static_cast<double>(want[t][i]), 2);
    }
  }
  return std::sqrt(error / norm);
}

// A few roundings' worth of the dtype: the error of a forward pass through a handful of layers.
inline double allowed(const std::string& dtype) {
  return dtype == "fp32" ? 1e-5 : 6 * std::ldexp(1.0, dtype == "fp16" ? -11 : -8);
}

}  // namespace ember
