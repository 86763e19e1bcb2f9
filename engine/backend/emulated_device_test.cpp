// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/emulated_device.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "engine/backend/dump_backend.h"
#include "engine/backend/fault_backend.h"
#include "engine/backend/fault_tensor.h"

namespace ember {
namespace {

template <class F>
ErrorKind kind_of(const F& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::kInternal;
}

// A (P, R, C) tensor on the device holding 0, 1, 2, …
struct Counting {
  explicit Counting(const Shape& shape, DType dtype = DType::kF32)
      : device(make_emulated_device(dtype)),
        memory(device->allocate(shape.numel() * dtype_bytes(dtype))),
        view(memory.get(), dtype, shape, device->device()) {
    std::vector<std::byte> host(view.bytes());
    for (int64_t i = 0; i < shape.numel(); ++i) {
      store_element(TensorView(host.data(), dtype, shape), i, static_cast<float>(i));
    }
    device->upload(view, host.data());
  }
  std::unique_ptr<IBackend> device;
  Memory memory;
  TensorView view;
};

std::vector<float> values(IBackend& device, const TensorView& v) {
  const HostCopy copy(device, v);
  std::vector<float> out;
  for (int64_t i = 0; i < v.numel(); ++i) {
    out.push_back(copy.at(i));
  }
  return out;
}

TEST(EmulatedDevice, HostCannotTouchItsMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Counting c({2, 3});
  EXPECT_DEATH({ EXPECT_EQ(c.view.as<float>()[0], 0) << "readable"; }, "");
}

TEST(EmulatedDevice, RefusesHostMemory) {
  const Counting c({2, 3});
  std::vector<float> host(6);
  const TensorView here(host.data(), DType::kF32, {2, 3});
  EXPECT_EQ(kind_of([&] {
              c.device->rmsnorm({c.view, here, c.view.rows(0, 1), 0});
            }),
            ErrorKind::kUnsupported);
}

TEST(EmulatedDevice, StridedCopies) {
  const Counting matrix({3, 4});
  EXPECT_EQ(values(*matrix.device, matrix.view.cols(1, 2)),
            std::vector<float>({1, 2, 5, 6, 9, 10}));
  const Counting planes({2, 3, 2}, DType::kBF16);
  const TensorView rows = planes.view.plane_rows(1, 2);
  EXPECT_EQ(values(*planes.device, rows), std::vector<float>({2, 3, 4, 5, 8, 9, 10, 11}));
  HostCopy copy(*planes.device, rows);
  copy.set(1, 0, 1, 100);
  copy.write_back();
  EXPECT_EQ(values(*planes.device, planes.view),
            std::vector<float>({0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 10, 11}));
}

TEST(EmulatedDevice, PlacesOneMatrixInItsType) {
  std::vector<float> a(4), b(2);
  std::iota(a.begin(), a.end(), 1.0f);
  std::iota(b.begin(), b.end(), 5.0f);
  const auto device = make_emulated_device(DType::kF16);
  const Linear w = device->place_linear(
      {TensorView(a.data(), DType::kF32, {2, 2}), TensorView(b.data(), DType::kF32, {1, 2})});
  ASSERT_EQ(w.count, 1);
  EXPECT_EQ(w.blocks[0].dtype, DType::kF16);
  EXPECT_EQ(values(*device, w.blocks[0]), std::vector<float>({1, 2, 3, 4, 5, 6}));
}

TEST(DeviceScratch, GrowsAndHolds) {
  const auto device = make_emulated_device(DType::kF32);
  DeviceScratch scratch;
  const std::vector<float> few = {1, 2}, more = {3, 4, 5};
  EXPECT_EQ(values(*device, scratch.put(*device, few.data(), DType::kF32, {2})), few);
  EXPECT_EQ(values(*device, scratch.put(*device, more.data(), DType::kF32, {3})), more);
  EXPECT_EQ(values(*device, scratch.put(*device, few.data(), DType::kF32, {2})), few);
}

TEST(TapBackend, OnADeviceSeesWhatIsWantedAndWritesBack) {
  Counting c({2, 3, 2});
  int64_t seen = 0;
  TapBackend taps(
      std::move(c.device),
      [&](const TapPoint&, const TensorView& v) {
        ++seen;
        EXPECT_TRUE(v.dense());
        EXPECT_EQ(v.as<float>()[0], 2);
        v.as<float>()[0] = 50;
      },
      TapBackend::Access::kWrite, [](const TapPoint& at) { return at.tap == Tap::kKRope; });
  const TensorView rows = c.view.plane_rows(1, 1);
  taps.tap({Tap::kKRope, 0, 0}, rows);
  taps.tap({Tap::kVProj, 0, 0}, rows);
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(values(taps, c.view), std::vector<float>({0, 1, 50, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

}  // namespace
}  // namespace ember
