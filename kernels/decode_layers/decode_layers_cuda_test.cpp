// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/cuda_graph.h"
#include "kernels/base/env_testing.h"
#include "kernels/common/device_info.h"
#include "kernels/common/device_testing.h"
#include "kernels/decode_layers/decode_layers_plan.h"
#include "kernels/decode_layers/decode_layers_testing.h"

#define EMBER_NEEDS_HOPPER()                                    \
  EMBER_NEEDS_CUDA();                                           \
  if (device_limits(DeviceMirror::device()).cc != 90) {         \
    GTEST_SKIP() << "the kernel is for compute capability 9.0"; \
  }                                                             \
  static_assert(true, "")

namespace ember::k::testing {
namespace {

void run(const DecodeLayersCase& c, const LayerInputs& in, const LayerState& state) {
  LayersCall call(c, in, state);
  DeviceMirror mirror(call.operands());
  ASSERT_TRUE(decode_layers_takes(call.p));
  decode_layers_cuda(call.p, test_stream().get());
  mirror.copy_back();
}

// q, K, attn, act and the weights of attention are rounded to 16 bits, now and then the other way
// than on the CPU: a layer adds some roundings of numbers near 1 to x, and passes on what it got.
double allowed(const DecodeLayersCase& c) {
  return (2 + 4 * static_cast<double>(c.L)) * epsilon(c.dtype);
}

void expect_close(const DecodeLayersCase& c, const LayerState& got, const LayerState& want) {
  EXPECT_TRUE(close_within(got.x, doubles(want.x), c.D + c.F, 2.0, allowed(c)));
  for (size_t i = 0; i < got.k.size(); ++i) {
    const double room = (i == 0 ? 1 : 2) * allowed(c);
    EXPECT_TRUE(same_but_new_row(got.k[i], want.k[i], c.pos, room)) << "k of layer " << i;
    EXPECT_TRUE(same_but_new_row(got.v[i], want.v[i], c.pos, room)) << "v of layer " << i;
  }
}

void check_case(const DecodeLayersCase& c) {
  SCOPED_TRACE(c.str());
  const LayerInputs in(c);
  const LayerState want(c), got(c), again(c);
  LayersCall judge(c, in, want);
  decode_layers_cpu(judge.p);
  run(c, in, got);
  run(c, in, again);
  expect_close(c, got, want);
  EXPECT_TRUE(got.guards_intact() && in.guards_intact());
  EXPECT_TRUE(got.same_bytes(again));
}

void check_cases(const std::vector<DecodeLayersCase>& cases) {
  for (const DecodeLayersCase& c : cases) {
    check_case(c);
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

DecodeLayersCase small(int64_t L, int64_t pos, DType t, int64_t group = 2) {
  DecodeLayersCase c{"small", L, 256, 2 * group, 2, 128, 384, pos};
  c.dtype = t;
  c.gain = pos % 2 == 0 ? DType::kF32 : t;
  return c;
}

// Few and small, and all that the kernel does: ends of rows, groups of heads, one share and many,
// a ring that wraps.
void check_every_path(DType t) {
  std::vector<DecodeLayersCase> cases;
  for (int64_t pos : {0, 15, 16, 31, 32, 255, 256, 300, 1500}) {
    cases.push_back(small(2, pos, t, pos == 300 ? 8 : pos == 256 ? 5 : 2));
  }
  DecodeLayersCase wide{"wide", 3, 1664, 4, 2, 128, 8320, 40};
  wide.dtype = t;
  cases.push_back(wide);
  DecodeLayersCase five{"stages of 1280", 2, 1280, 4, 2, 128, 1408, 33};
  five.dtype = t;
  cases.push_back(five);
  DecodeLayersCase narrow{"narrow", 1, 128, 1, 1, 128, 128, 3};
  narrow.dtype = t;
  cases.push_back(narrow);
  check_cases(cases);
}

TEST(DecodeLayersCuda, EveryPathF16) {
  EMBER_NEEDS_HOPPER();
  check_every_path(DType::kF16);
}

TEST(DecodeLayersCuda, EveryPathBf16) {
  EMBER_NEEDS_HOPPER();
  check_every_path(DType::kBF16);
}

TEST(DecodeLayersCudaLong, EveryLength) {
  EMBER_NEEDS_HOPPER();
  std::vector<DecodeLayersCase> cases;
  for (int64_t pos = 0; pos < 1400; pos += pos < 290 ? 1 : 41) {
    cases.push_back(small(1, pos, pos % 3 == 0 ? DType::kF16 : DType::kBF16, 1 + pos % 8));
  }
  check_cases(cases);
}

TEST(DecodeLayersCudaLong, PresetShapes) {
  EMBER_NEEDS_HOPPER();
  std::vector<DecodeLayersCase> cases;
  for (const ModelPreset& m : model_presets()) {
    for (DType t : {DType::kF16, DType::kBF16}) {
      cases.push_back(decode_layers_case(m, 1, t == DType::kF16 ? 700 : 130, t));
    }
  }
  cases.push_back(decode_layers_case(*find_preset("qwen3-0.6b"), 4, 383, DType::kBF16));
  cases.push_back(decode_layers_case(*find_preset("tiny"), 64, 50, DType::kBF16));
  check_cases(cases);
}

TEST(DecodeLayersCudaLong, LongCaches) {
  EMBER_NEEDS_HOPPER();
  check_cases({decode_layers_case(*find_preset("qwen3-0.6b"), 1, 32767, DType::kBF16),
               decode_layers_case(*find_preset("tiny"), 1, 40959, DType::kF16)});
}

// The position from device memory gives the bits of that from the host; outside nothing is written.
TEST(DecodeLayersCuda, PositionInMemory) {
  EMBER_NEEDS_HOPPER();
  const DecodeLayersCase c = small(2, 290, DType::kBF16);
  const LayerInputs in(c);
  const LayerState want(c), before(c);
  run(c, in, want);
  const auto at = [&](int32_t pos, const LayerState& state) {
    Buffer memory(4, Buffer::Fill::kNone, DeviceMirror::device());
    cuda::upload(memory.view(DType::kI32, {1}), &pos, test_stream().get());
    LayersCall call(c, in, state);
    call.p.pos = -1;
    DeviceMirror mirror(call.operands());
    call.p.pos_device = reinterpret_cast<const int32_t*>(memory.data());
    decode_layers_cuda(call.p, test_stream().get());
    mirror.copy_back();
  };
  const LayerState same(c), after(c), negative(c);
  at(290, same);
  at(294, after);
  at(-1, negative);
  EXPECT_TRUE(same.same_bytes(want));
  EXPECT_TRUE(after.same_bytes(before));
  EXPECT_TRUE(negative.same_bytes(before));
}

// Many steps in a graph, replayed: as one after another. Counters and tickets are left as they
// were.
TEST(DecodeLayersCuda, StepsOfAGraph) {
  EMBER_NEEDS_HOPPER();
  for (int64_t pos : {40, 700}) {
    const DecodeLayersCase c = small(2, pos, DType::kBF16);
    const LayerInputs in(c);
    const LayerState want(c), got(c);
    const auto steps = [&](const LayerState& state, bool graph) {
      LayersCall call(c, in, state);
      DeviceMirror mirror(call.operands());
      Stream stream = test_stream().get();
      decode_layers_cuda(call.p, stream);  // kernel loaded, scratch in place
      synchronize(stream);
      stream.overlap = true;
      const auto ten = [&] {
        for (int i = 0; i < 10; ++i) {
          decode_layers_cuda(call.p, stream);
        }
      };
      if (graph) {
        CudaGraph recorded(stream, ten);
        recorded.launch(stream);
        recorded.launch(stream);
      } else {
        ten();
        ten();
      }
      mirror.copy_back();
    };
    steps(want, false);
    steps(got, true);
    EXPECT_TRUE(got.same_bytes(want));
    const std::vector<float> x = values(got.x);
    EXPECT_TRUE(std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); }));
  }
}

TEST(DecodeLayersCuda, NanInAVisibleRowShows) {
  EMBER_NEEDS_HOPPER();
  const DecodeLayersCase c = small(1, 300, DType::kF16);
  const LayerInputs in(c);
  for (bool in_k : {true, false}) {
    const LayerState got(c);
    (in_k ? got.k : got.v)[0].view().as<F16>()[10 * 128 + 3].bits = 0x7e00;
    run(c, in, got);
    for (float x : values(got.x)) {
      ASSERT_TRUE(std::isnan(x));
    }
  }
}

TEST(DecodeLayersCuda, IsChosenUnlessItIsRefused) {
  EMBER_NEEDS_HOPPER();
  const DeviceId gpu = DeviceMirror::device();
  const ModelShape& narrow = find_preset("qwen3-0.6b")->shape;
  const ModelShape& wide = find_preset("qwen3-8b")->shape;
  ModelShape other = narrow;
  other.E = 64;
  const auto chosen = [&](const char* forced, const ModelShape& shape, DType t) {
    const ScopedEnv word("EMBER_DECODE_LAYERS", forced);
    return decode_layers_chosen(shape, t, gpu);
  };
  EXPECT_TRUE(chosen("", narrow, DType::kBF16));
  EXPECT_FALSE(chosen("0", narrow, DType::kBF16));
  EXPECT_TRUE(chosen("1", narrow, DType::kBF16));
  EXPECT_TRUE(chosen("1", wide, DType::kF16));
  EXPECT_FALSE(chosen("1", narrow, DType::kF32));
  EXPECT_FALSE(chosen("1", other, DType::kBF16));
}

TEST(DecodeLayersCuda, WhatItCannotDoIsRefused) {
  const DecodeLayersCase c = small(1, 3, DType::kF16);
  const LayerInputs in(c);
  const LayerState state(c);
  LayersCall call(c, in, state);
  EXPECT_TRUE(
      throws(ErrorKind::kUnsupported, "decode_layers", [&] { decode_layers_cuda(call.p, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
