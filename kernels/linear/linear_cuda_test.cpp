// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/device_testing.h"
#include "kernels/linear/linear_cases.h"
#include "kernels/linear/linear_plan.h"

namespace ember::k::testing {
namespace {

const std::vector<TensorView*> operands(LinearParams& p) {
  return {&p.y, &p.x, &p.w};
}

std::string describe(const LinearCase& c) {
  return c.name + " T " + std::to_string(c.T) + " N " + std::to_string(c.N) + " K " +
         std::to_string(c.K) + " x " + dtype_name(c.x) + " w " + dtype_name(c.w) + " y " +
         dtype_name(c.y) + (c.accumulate ? " +=" : "") + " padding " + std::to_string(c.padding);
}

constexpr int kShared = 227 * 1024;  // of a block, compute capability 9.0

struct Inputs {
  TestTensor x, w;
  explicit Inputs(const LinearCase& c)
      : x(c.x, {c.T, c.K}, c.padding), w(c.w, {c.N, c.K}, c.padding) {
    x.randomise(c.seed * 3 + 1);
    w.randomise(c.seed * 3 + 2);
  }
  static TestTensor result(const LinearCase& c, DType dtype) {
    TestTensor y(dtype, {c.T, c.N}, c.padding);
    if (c.accumulate) {
      y.randomise(c.seed * 3 + 3);
    }
    return y;
  }
  LinearParams params(const LinearCase& c, const TestTensor& y) const {
    return {y, x, w, c.alpha, c.accumulate};
  }
};

void check_case(const LinearCase& c) {
  SCOPED_TRACE(describe(c));
  const Inputs in(c);
  const TestTensor want = in.result(c, DType::kF32);
  linear_oracle(in.params(c, want));
  const TestTensor y = in.result(c, c.y), again = in.result(c, c.y);
  run_on_device(linear_cuda, in.params(c, y), operands);
  run_on_device(linear_cuda, in.params(c, again), operands);
  const double product = c.alpha * rms(in.x) * rms(in.w) * std::sqrt(static_cast<double>(c.K));
  const double typical = product + (c.accumulate ? 1.0 / std::sqrt(c.K) : 0.0);
  EXPECT_TRUE(close(y, doubles(want), c.K, typical));
  EXPECT_TRUE(y.guards_intact() && in.x.guards_intact() && in.w.guards_intact());
  EXPECT_TRUE(y.same_bytes(again));
}

TEST(LinearCuda, EdgesMatchTheOracle) {
  EMBER_NEEDS_CUDA();
  for (const LinearCase& c : linear_edge_cases()) {
    check_case(c);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(LinearCuda, OneTokenOfEveryModel) {
  EMBER_NEEDS_CUDA();
  for (DType w : {DType::kF16, DType::kBF16}) {
    for (DType x : {DType::kF32, w}) {
      for (LinearCase c : linear_preset_cases(1, w, 1031)) {
        c.x = x;
        check_case(c);
      }
    }
  }
}

void check_every_model(const std::vector<int64_t>& tokens) {
  for (DType t : {DType::kF16, DType::kBF16}) {
    for (int64_t T : tokens) {
      for (LinearCase c : linear_preset_cases(T, t, 264)) {
        c.x = t;
        c.y = c.accumulate || T == 19 ? DType::kF32 : t;
        check_case(c);
      }
    }
  }
}

TEST(LinearCuda, FewTokensOfEveryModel) {
  EMBER_NEEDS_CUDA();
  check_every_model({2, 8, 16});
}

// The library's kernels alone.
TEST(LinearCudaLong, ManyTokensOfEveryModel) {
  EMBER_NEEDS_CUDA();
  check_every_model({19, 130});
}

// Every tile shape of the GEMV kernel: rows that end inside a group of lanes, a tile that is moved
// up, several windows of tiles, every dtype of x and y.
TEST(LinearCuda, GemvShapes) {
  EMBER_NEEDS_CUDA();
  uint64_t seed = 0;
  for (int64_t K : {8, 16, 168, 256, 264, 640, 5120, 5128, 8192, 8200, 9728, 12288, 12296, 20480}) {
    for (int64_t N : {8, 9, 15, 131, 1057, 2200}) {
      LinearCase c;
      c.name = "gemv";
      c.T = 1;
      c.N = N;
      c.K = K;
      c.w = seed % 2 ? DType::kF16 : DType::kBF16;
      c.x = kFloatDTypes[seed % 3];
      c.y = kFloatDTypes[seed / 2 % 3];
      c.accumulate = c.y == DType::kF32 && seed % 4 < 2;
      c.alpha = seed % 5 == 0 ? 8.0f : 1.0f;
      c.padding = seed % 7 == 0 ? 8 : 0;
      c.seed = ++seed;
      const Inputs in(c);
      EXPECT_EQ(choose_linear_kernel(in.params(c, in.result(c, c.y)), 132, kShared),
                LinearKernel::kGemv);
      check_case(c);
    }
  }
  LinearCase windows;
  windows.name = "windows";
  windows.T = 1, windows.N = 17503, windows.K = 4096;
  windows.x = windows.w = DType::kBF16;
  check_case(windows);
}

// Ragged steps of k, runs that end inside a tile, several tiles a run, every number of tokens.
TEST(LinearCuda, FewTokensShapes) {
  EMBER_NEEDS_CUDA();
  uint64_t seed = 100;
  for (int64_t K : {8, 24, 32, 40, 168, 328, 512, 640, 2560, 4104, 9728, 12288}) {
    for (int64_t N : {16, 17, 31, 131, 1057, 4200}) {
      LinearCase c;
      c.name = "few";
      c.T = 2 + static_cast<int64_t>(seed % 15);
      c.N = N;
      c.K = K;
      c.w = c.x = seed % 2 ? DType::kF16 : DType::kBF16;
      c.y = kFloatDTypes[seed / 2 % 3];
      c.accumulate = c.y == DType::kF32 && seed % 4 < 2;
      c.alpha = seed % 5 == 0 ? 8.0f : 1.0f;
      c.padding = seed % 3 == 0 ? 8 : 0;
      c.seed = ++seed;
      const Inputs in(c);
      EXPECT_EQ(choose_linear_kernel(in.params(c, in.result(c, c.y)), 132, kShared),
                LinearKernel::kFew);
      check_case(c);
      if (HasFailure()) {
        return;
      }
    }
  }
  for (int64_t T : {7, 8, 9, 16}) {
    LinearCase tiles;
    tiles.name = "tiles";
    tiles.T = T, tiles.N = 40000, tiles.K = 1032;
    tiles.x = tiles.w = DType::kBF16;
    check_case(tiles);
  }
}

// A token's bits do not depend on how many stand beside it.
TEST(LinearCuda, FewTokensDoNotMix) {
  EMBER_NEEDS_CUDA();
  constexpr int64_t N = 20000;
  TestTensor x(DType::kBF16, {16, 640}), w(DType::kBF16, {N, 640});
  x.randomise(1);
  w.randomise(2);
  const TestTensor all(DType::kF32, {16, N});
  run_on_device(linear_cuda, {all, x, w}, operands);
  const std::vector<float> a = values(all);
  for (int64_t count : {2, 5, 8, 11}) {
    const TestTensor some(DType::kF32, {count, N});
    run_on_device(linear_cuda, {some, x.view().rows(3, count), w}, operands);
    const std::vector<float> b = values(some);
    EXPECT_TRUE(std::equal(b.begin(), b.end(), a.begin() + 3 * N)) << count;
  }
}

// y is a column slice of a wider buffer; x has rows apart. What lies between stays.
TEST(LinearCuda, ColumnSliceLeavesTheRestAlone) {
  EMBER_NEEDS_CUDA();
  for (int64_t T : {1, 3, 9, 17}) {
    TestTensor x(DType::kBF16, {T, 40}, 8), w(DType::kBF16, {16, 40}), wide(DType::kF32, {T, 48});
    x.randomise(1);
    w.randomise(2);
    run_on_device(linear_cuda, {wide.view().cols(16, 16), x, w}, operands);
    const std::vector<float> v = values(wide);
    for (size_t i = 0; i < v.size(); ++i) {
      EXPECT_EQ(std::isnan(v[i]), i % 48 < 16 || i % 48 >= 32) << i;
    }
    EXPECT_TRUE(wide.guards_intact());
  }
}

TEST(LinearCuda, NanInOneWeightRowStaysInItsColumn) {
  EMBER_NEEDS_CUDA();
  for (int64_t T : {1, 5, 12, 20}) {
    LinearCase c;
    c.T = T, c.N = 40, c.K = 304;
    c.x = c.w = DType::kF16;
    const Inputs in(c);
    in.w.view().as<F16>()[7 * c.K + 5].bits = 0x7e00;
    const TestTensor y = in.result(c, DType::kF32);
    run_on_device(linear_cuda, in.params(c, y), operands);
    const std::vector<float> v = values(y);
    for (size_t i = 0; i < v.size(); ++i) {
      EXPECT_EQ(std::isnan(v[i]), i % 40 == 7) << i;
    }
  }
}

// Needs no GPU.
TEST(LinearPlan, FewTokensFitEveryDevice) {
  for (int shared : {48 * 1024, 99 * 1024, 163 * 1024, kShared}) {
    for (int sms : {1, 80, 84, 132}) {
      for (int64_t T = 2; T <= kFewMaxTokens; ++T) {
        for (int64_t K : {8, 256, 264, 1024, 9728, 60000}) {
          for (int64_t N : {16, 17, 1024, 2560, 6144, 151936}) {
            const FewPlan p = plan_few(T, N, K, sms, shared);
            ASSERT_TRUE(p.stages >= 2 && p.stages <= kFewMaxStages) << p.str();
            ASSERT_TRUE(p.blocks >= 1 && p.blocks <= sms && p.blocks <= N) << p.str();
            ASSERT_GE(int64_t{p.blocks} * p.block_rows, N) << p.str();
            ASSERT_TRUE(p.tile_rows >= 1 && p.tile_rows <= kFewTileRows) << p.str();
            ASSERT_LE(p.tile_rows, p.block_rows) << p.str();
            ASSERT_LE(p.shared_bytes, std::min(shared, kFewSharedBytes)) << p.str();
            // What the kernel lays out: the ring, and the sums of eight warps.
            const int64_t ring = p.stages * (p.slot_rows() + T) * kFewDepth * 2;
            const int64_t sums = 8 * p.tiles_of_16() * 16 * (T > 8 ? 16 : 8) * 4;
            ASSERT_GE(p.shared_bytes, ring + sums) << p.str();
          }
        }
      }
    }
  }
}

// Every matrix of the models keeps the SMs evenly busy, and enough bytes on their way.
TEST(LinearPlan, FewTokensKeepTheDeviceBusy) {
  struct Device {
    int sms, shared;
    int64_t in_flight;
  };
  for (const Device& d : {Device{80, 99 * 1024, 24 << 10}, Device{84, 99 * 1024, 24 << 10},
                          Device{132, kShared, 64 << 10}}) {
    for (const ModelPreset& preset : model_presets()) {
      if (preset.shape.D < 2560) {  // a block has too few rows
        continue;
      }
      for (const MatrixShape& s : linear_shapes(preset.shape)) {
        for (int64_t T : {2, 8, 16}) {
          const FewPlan p = plan_few(T, s.N, s.K, d.sms, d.shared);
          const std::string what = preset.name + "/" + s.name + " " + p.str();
          EXPECT_GE(p.balance(s.N), 0.96) << what;
          EXPECT_GE(int64_t{p.stages - 1} * p.tile_rows * kFewDepth * 2, d.in_flight) << what;
        }
      }
    }
  }
}

TEST(LinearCuda, HostMemoryIsRefused) {
  const TestTensor x(DType::kF32, {2, 8}), w(DType::kF32, {4, 8}), y(DType::kF32, {2, 4});
  EXPECT_TRUE(throws(ErrorKind::kUnsupported, "linear", [&] { linear_cuda({y, x, w}, {}); }));
}

}  // namespace
}  // namespace ember::k::testing
