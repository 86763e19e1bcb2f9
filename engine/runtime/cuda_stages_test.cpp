// SPDX-License-Identifier: Apache-2.0
// The engine cut into stages, on one CUDA device or several: the bits of one stage.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "engine/core/clock.h"
#include "engine/runtime/logits_testing.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

const DeviceId kCpu{};
const DeviceId kGpu{DeviceKind::kCuda, 0};

// Every cut of the pipeline, every way of a hop, several chunks: the bits of one stage. A small
// hop is one of up to 64 tokens here.
TEST(CudaStages, AreBitEqual) {
  EMBER_NEEDS_CUDA();
  std::vector<DeviceId> spread;
  for (const CudaDeviceInfo& gpu : cuda_devices()) {
    spread.push_back({DeviceKind::kCuda, gpu.index});
  }
  spread.resize(std::min<size_t>(spread.size(), 4));
  std::vector<DeviceId> looped = {spread.front(), spread.back(), spread.front(), spread.back()};
  const auto ids = prompt(330, tiny()->config().shape.V);
  for (int64_t chunk : {512, 128, 64, 7}) {
    RuntimeOptions one = options({kGpu});
    one.chunk = chunk;
    one.logit_rows = 32;
    const Rows want = all_logits(tiny(), one, ids, 300);
    for (const auto& devices : {std::vector<DeviceId>{kGpu, kGpu},
                                std::vector<DeviceId>{kGpu, kGpu, kGpu, kGpu}, spread, looped}) {
      for (HopPath hop : {HopPath::kAuto, HopPath::kPeer, HopPath::kStaged}) {
        RuntimeOptions o = one;
        o.devices = devices;
        o.hop = hop;
        EXPECT_TRUE(all_logits(tiny(), o, ids, 300) == want)
            << devices.size() << " stages, chunk " << chunk << ", hop " << static_cast<int>(hop);
      }
    }
  }
}

// A hop over a planted link takes its time, on the device and not on the host, and no bit changes.
TEST(CudaStages, OverASlowLinkAreBitEqual) {
  EMBER_NEEDS_CUDA();
  constexpr double kLatency = 3e-3;
  const auto ids = prompt(330, tiny()->config().shape.V);
  RuntimeOptions o = options({kGpu, kGpu});
  for (int64_t chunk : {128, 64, 7}) {
    o.chunk = chunk;
    for (HopPath hop : {HopPath::kAuto, HopPath::kStaged}) {
      o.hop = hop;
      const Rows want = all_logits(tiny(), o, ids, 300);
      setenv("EMBER_LINK", "1,3000", 1);
      const auto runtime = make_runtime(tiny(), o);
      EXPECT_TRUE(all_logits(tiny(), o, ids, 300) == want) << chunk;
      unsetenv("EMBER_LINK");
      const auto session = runtime->new_session(400);
      const auto passes = static_cast<double>((300 + chunk - 1) / chunk);
      double given = 0;
      PrefillOptions p;
      const double start = now_seconds();
      p.on_progress = [&](int64_t done, int64_t) {
        given = done == 3 * chunk && chunk < 100 ? now_seconds() - start : given;
      };
      runtime->prefill(*session, ids.data(), 300, p);
      EXPECT_GE(now_seconds() - start, passes * kLatency) << chunk;
      EXPECT_LT(given, 2 * kLatency) << "the host waited for the link";
    }
  }
}

// Without a look at the logits in between, the stages run ahead of each other: more chunks than a
// hop has buffers, many passes, and hops of more than one piece, each compared with one stage.
TEST(CudaStages, ThatRunAheadAreBitEqual) {
  EMBER_NEEDS_CUDA();
  constexpr int64_t kPrompt = 3100;
  const auto ids = prompt(kPrompt + 5, tiny()->config().shape.V);
  const auto last = [&](std::vector<DeviceId> devices, HopPath hop, int64_t chunk) {
    RuntimeOptions o = options(std::move(devices));
    o.hop = hop;
    o.chunk = chunk;
    o.context = kPrompt + 5;
    const auto runtime = make_runtime(tiny(), o);
    Rows rows;
    for (int repeat = 0; repeat < 3; ++repeat) {
      const auto session = runtime->new_session(o.context);
      rows.push_back(copy(runtime->prefill(*session, ids.data(), kPrompt - repeat)));
      for (int64_t i = kPrompt; i < o.context; ++i) {
        rows.push_back(copy(runtime->decode(*session, ids[i])));
      }
    }
    return rows;
  };
  for (int64_t chunk : {1500, 96}) {
    const Rows want = last({kGpu}, HopPath::kAuto, chunk);
    for (HopPath hop : {HopPath::kAuto, HopPath::kStaged}) {
      EXPECT_EQ(last({kGpu, kGpu}, hop, chunk), want) << chunk;
      EXPECT_EQ(last({kGpu, kGpu, kGpu, kGpu}, hop, chunk), want) << chunk;
    }
  }
}

TEST(CudaStages, InPoisonedMemoryAreBitEqual) {
  EMBER_NEEDS_CUDA();
  const auto ids = prompt(200, tiny()->config().shape.V);
  RuntimeOptions o = options({kGpu, kGpu, kGpu});
  o.chunk = 48;
  const Rows clean = all_logits(tiny(), o, ids, 180);
  setenv("EMBER_POISON", "1", 1);
  for (HopPath hop : {HopPath::kAuto, HopPath::kStaged}) {
    o.hop = hop;
    EXPECT_TRUE(all_logits(tiny(), o, ids, 180) == clean);
  }
  unsetenv("EMBER_POISON");
}

// From the host's memory to the device's and back: the halves compute in different precision, so
// the result is judged like one device's.
TEST(CudaStages, CpuAndGpuShareAModel) {
  EMBER_NEEDS_CUDA();
  const auto ids = prompt(120, tiny()->config().shape.V);
  const Rows want = all_logits(tiny(), options({kCpu}), ids, 100);
  for (const auto& devices : {std::vector<DeviceId>{kCpu, kGpu}, std::vector<DeviceId>{kGpu, kCpu},
                              std::vector<DeviceId>{kGpu, kCpu, kGpu}}) {
    RuntimeOptions o = options(devices);
    o.chunk = 32;
    const Rows got = all_logits(tiny(), o, ids, 100);
    EXPECT_TRUE(relative_l2(got, want) <= allowed("bf16")) << relative_l2(got, want);
    EXPECT_TRUE(all_logits(tiny(), o, ids, 100) == got);
  }
}

}  // namespace
}  // namespace ember
