// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <vector>

#include "kernels/base/buffer.h"
#include "kernels/base/contract.h"
#include "kernels/base/env.h"
#include "kernels/base/launch_log.h"
#include "kernels/base/model_shape.h"
#include "kernels/base/temporary_directory.h"
#include "kernels/base/tensor.h"

namespace ember {
namespace {

TEST(Half, EveryF16RoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const F16 h{static_cast<uint16_t>(bits)};
    const float f = to_float(h);
    if (std::isnan(f)) {
      EXPECT_TRUE((bits & 0x7c00u) == 0x7c00u && (bits & 0x3ffu) != 0) << bits;
      continue;
    }
    EXPECT_EQ(from_float<F16>(f).bits, bits);
  }
}

TEST(Half, EveryBF16RoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float f = to_float(BF16{static_cast<uint16_t>(bits)});
    if (!std::isnan(f)) {
      EXPECT_EQ(from_float<BF16>(f).bits, bits);
    }
  }
}

// A 16-bit value nearest to x, ties to even, found by search: the definition of the rounding.
template <class T>
float nearest(float x) {
  float best = std::numeric_limits<float>::quiet_NaN();
  uint32_t best_bits = 0;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float f = to_float(T{static_cast<uint16_t>(bits)});
    if (!std::isfinite(f)) {
      continue;
    }
    const double d = std::fabs(static_cast<double>(f) - x);
    const double d_best = std::fabs(static_cast<double>(best) - x);
    if (std::isnan(best) || d < d_best || (d == d_best && (bits & 1) == 0 && (best_bits & 1))) {
      best = f;
      best_bits = bits;
    }
  }
  return best;
}

TEST(Half, RoundsToNearestEven) {
  uint32_t state = 12345;
  for (int i = 0; i < 200; ++i) {
    state = state * 1664525u + 1013904223u;
    const float x = std::ldexp(static_cast<float>(static_cast<int32_t>(state)), -40 + i % 24);
    EXPECT_EQ(to_float(from_float<F16>(x)), nearest<F16>(x)) << x;
    EXPECT_EQ(to_float(from_float<BF16>(x)), nearest<BF16>(x)) << x;
  }
  for (float x : {1.00048828125f, 1.00146484375f, 5.9604644775390625e-8f, 2.98023223876953125e-8f,
                  2.9802325e-8f, 6.1035156e-5f, 6.0e-5f}) {
    EXPECT_EQ(to_float(from_float<F16>(x)), nearest<F16>(x)) << x;
  }
  EXPECT_EQ(from_float<F16>(65519.0f).bits, 0x7bff);
  EXPECT_EQ(from_float<F16>(65520.0f).bits, 0x7c00);
  EXPECT_TRUE(std::isnan(to_float(from_float<F16>(std::nanf("")))));
  EXPECT_TRUE(std::isnan(to_float(from_float<BF16>(bits_to_float(0x7f800001u)))));
}

TEST(Shape, NumelChecksOverflow) {
  EXPECT_EQ((Shape{2, 3}).numel(), 6);
  EXPECT_EQ((Shape{}).numel(), 1);
  EXPECT_THROW((Shape{int64_t{1} << 40, int64_t{1} << 40}).numel(), Error);
  EXPECT_THROW((Shape{-1}), Error);
}

TEST(TensorView, TypedAccessIsChecked) {
  float data[6] = {0, 1, 2, 3, 4, 5};
  TensorView v(data, DType::kF32, {2, 3});
  EXPECT_EQ(v.as<float>()[5], 5);
  EXPECT_THROW(v.as<BF16>(), Error);
  const TensorView column = v.cols(1, 2);
  EXPECT_FALSE(column.dense());
  EXPECT_EQ(column.rows(1, 1).as<float>()[0], 4);
  EXPECT_THROW(v.rows(1, 2), Error);
  const TensorView planes(data, DType::kF32, {2, 3, 1});
  EXPECT_TRUE(planes.dense());
  const TensorView tail = planes.plane_rows(1, 2);
  EXPECT_FALSE(tail.dense());
  EXPECT_EQ(tail.as<float>()[tail.plane_stride], 4);
}

TEST(Device, ParsesLists) {
  EXPECT_EQ(parse_devices("0,1").size(), 2u);
  EXPECT_EQ(parse_devices("cpu,cpu")[1].kind, DeviceKind::kCpu);
  for (const char* bad : {"", "0,", ",", "gpu", "-1", "0 1", "99999"}) {
    EXPECT_THROW(parse_devices(bad), Error) << bad;
  }
}

TEST(ModelShape, PresetsAreWhole) {
  for (const ModelPreset& p : model_presets()) {
    EXPECT_EQ(p.shape.H % p.shape.K, 0) << p.name;
    EXPECT_EQ(find_preset(p.name), &p);
  }
  EXPECT_EQ(find_preset("qwen3-9b"), nullptr);
}

TEST(Buffer, OwnsAlignedMemory) {
  for (int64_t bytes : {0, 1, 63, 64, 1000, 5 << 20}) {
    const Buffer b(bytes, Buffer::Fill::kPoison);
    EXPECT_EQ(b.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % Buffer::kAlignment, 0u);
    for (int64_t i = 0; i < bytes; i += 61) {
      EXPECT_EQ(b.data()[i], std::byte{0xff});
    }
  }
  Buffer a(12, Buffer::Fill::kZero);
  EXPECT_EQ(a.view(DType::kF32, {3}).as<float>()[2], 0.0f);
  EXPECT_EQ(a.view(DType::kF32, {2}, 4).data, a.data() + 4);
  EXPECT_THROW(a.view(DType::kF32, {4}), Error);
  EXPECT_THROW(a.view(DType::kF32, {3}, 4), Error);
  EXPECT_THROW(a.view(DType::kF32, {1}, -4), Error);
  const std::byte* data = a.data();
  const Buffer moved(std::move(a));
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(a.bytes(), 0);
}

TEST(Buffer, SaysWhatItCouldNotAllocate) {
  std::vector<int64_t> sizes = {std::numeric_limits<int64_t>::max()};
#if !defined(__SANITIZE_ADDRESS__)  // AddressSanitizer's allocator ends the process instead
  sizes.push_back(int64_t{1} << 60);
#endif
  for (int64_t bytes : sizes) {
    try {
      const Buffer b(bytes, Buffer::Fill::kNone, {}, "KV cache");
      FAIL() << bytes;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kOutOfMemory);
      EXPECT_NE(std::string(e.what()).find("KV cache"), std::string::npos) << e.what();
    }
  }
}

TEST(Buffer, PoisonOnRequest) {
  setenv("EMBER_POISON", "1", 1);
  EXPECT_TRUE(std::isnan(Buffer(4).view(DType::kF32, {1}).as<float>()[0]));
  unsetenv("EMBER_POISON");
}

TEST(TemporaryDirectory, EachIsItsOwnAndGoes) {
  std::string first, kept;
  {
    TemporaryDirectory one, two;
    first = one.path();
    kept = two.path();
    EXPECT_NE(first, kept);
    std::filesystem::create_directories(one / "a/b");
    two.keep();
  }
  EXPECT_FALSE(std::filesystem::exists(first));
  EXPECT_TRUE(std::filesystem::is_empty(kept));
  std::filesystem::remove(kept);
}

TEST(Env, TableIsTheOnlySource) {
  for (const EnvDoc& d : env_table()) {
    EXPECT_NE(env_help().find(d.name), std::string::npos);
  }
  EXPECT_FALSE(env_int(EnvVar::kThreads, 1, 8).has_value());
  setenv("EMBER_THREADS", "3", 1);
  EXPECT_EQ(env_int(EnvVar::kThreads, 1, 8).value(), 3);
  for (const char* bad : {"0", "9", "x", "3x", "1e1", "99999999999999999999"}) {
    setenv("EMBER_THREADS", bad, 1);
    EXPECT_THROW(env_int(EnvVar::kThreads, 1, 8), Error) << bad;
  }
  unsetenv("EMBER_THREADS");
}

TEST(Contract, OverlapIsByBytesReached) {
  float data[12] = {};
  const auto rows = [&](int64_t begin, int64_t count) {
    return TensorView(data, DType::kF32, {4, 3}).rows(begin, count);
  };
  const TensorView a = rows(0, 2), b = rows(2, 2), c = rows(1, 2), none = rows(1, 0);
  EXPECT_NO_THROW(require_disjoint({"op", "a", a}, {"op", "b", b}));
  EXPECT_NO_THROW(require_disjoint({"op", "a", a}, {"op", "none", none}));
  EXPECT_THROW(require_disjoint({"op", "a", a}, {"op", "c", c}), Error);
  EXPECT_THROW(require_disjoint({"op", "c", c}, {"op", "b", b}), Error);
}

TEST(LaunchLog, NotesWhileItLives) {
  LaunchLog::add_library("linear");
  EXPECT_EQ(LaunchLog::active(), nullptr);
  {
    LaunchLog log;
    EXPECT_THROW(LaunchLog(), Error);
    LaunchLog::add_library("linear");
    LaunchLog::active()->add({"rmsnorm", "rmsnorm_rows_kernel", false, 32, 1024, 0, 256, 7});
    const std::vector<KernelLaunch> all = log.launches();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_TRUE(all[0].library && !all[1].library);
    EXPECT_EQ(all[1].blocks, 7);
  }
  EXPECT_EQ(LaunchLog::active(), nullptr);
  LaunchLog again;
  EXPECT_TRUE(again.launches().empty());
}

TEST(LaunchLog, NamesOfFunctions) {
  EXPECT_EQ(short_function_name("void ember::k::(anonymous namespace)::gemv_kernel<__half, "
                                "(int)4>(ember::k::(anonymous namespace)::Args<__half>)"),
            "gemv_kernel");
  EXPECT_EQ(short_function_name("advance_kernel(int*, int)"), "advance_kernel");
  EXPECT_EQ(short_function_name("ember::nothing()"), "nothing");
  EXPECT_EQ(short_function_name("plain"), "plain");
  EXPECT_EQ(short_function_name(""), "");
}

}  // namespace
}  // namespace ember
