// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harness/measure/link_fit.h"
#include "harness/measure/link_rate.h"
#include "harness/measure/load_chain.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/error.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

using Points = std::vector<std::pair<int64_t, double>>;

Points line(double latency, double bandwidth) {
  Points points;
  for (int64_t n = 256; n <= int64_t{1} << 30; n *= 4) {
    points.emplace_back(n, latency + static_cast<double>(n) / bandwidth);
  }
  return points;
}

TEST(LinkFit, FindsTheLineItIsGiven) {
  const auto fit = fit_link(line(7e-6, 25e9));
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->latency, 7e-6, 1e-11);
  EXPECT_NEAR(fit->bandwidth, 25e9, 1e5);
  EXPECT_LT(fit->error, 1e-6);
}

// Weighed by their own size, small messages decide the latency and large ones the bandwidth; by
// absolute residuals an error of 5 % at a gibibyte would drown the latency a hundred times.
TEST(LinkFit, SmallAndLargeMessagesCountAlike) {
  Points points = line(7e-6, 25e9);
  for (size_t i = 0; i < points.size(); ++i) {
    points[i].second *= i % 2 == 0 ? 1.05 : 0.95;
  }
  const auto fit = fit_link(points);
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->latency, 7e-6, 0.05 * 7e-6);
  EXPECT_NEAR(fit->bandwidth, 25e9, 0.05 * 25e9);
  EXPECT_NEAR(fit->error, 0.05, 0.005);
}

TEST(LinkFit, LatencyIsNeverNegative) {
  Points points = line(0, 1e10);
  points[0].second *= 0.5;  // as if the smallest were quicker than its bytes allow
  const auto fit = fit_link(points);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->latency, 0);
  EXPECT_GT(fit->error, 0.1);
}

TEST(LinkFit, SaysNothingWithoutThreeSizesOrASlope) {
  EXPECT_FALSE(fit_link({}));
  EXPECT_FALSE(fit_link({{256, 1e-6}, {1024, 2e-6}}));
  EXPECT_FALSE(fit_link({{256, 1e-6}, {256, 1.1e-6}, {1024, 2e-6}}));
  const auto falling = fit_link({{256, 3e-6}, {1024, 2e-6}, {4096, 1e-6}});
  EXPECT_TRUE(!falling || falling->error > 0.3);
}

NvLink nvlink(bool to_switch, const std::string& peer = "", double rate = 26.5e9) {
  return {4, rate, to_switch, peer};
}

GpuLinks gpu(const std::string& bus, std::vector<NvLink> links, int generation = 5,
             int width = 16) {
  return {bus, generation, width, std::move(links)};
}

TEST(LinkRate, PcieByGenerationAndWidth) {
  EXPECT_NEAR(*pcie_rate(gpu("", {}, 3, 16)), 15.754e9, 1e7);
  EXPECT_NEAR(*pcie_rate(gpu("", {}, 4, 8)), 15.754e9, 1e7);
  EXPECT_NEAR(*pcie_rate(gpu("", {}, 5, 16)), 63.015e9, 1e7);
  EXPECT_FALSE(pcie_rate({}));
  EXPECT_FALSE(pcie_rate(gpu("", {}, 9, 16)));
  EXPECT_EQ(host_rate(gpu("", {}, 4, 8))->link, "pcie4 x 8");
}

TEST(LinkRate, PairsBySwitchByLinkAndByPcie) {
  const std::vector<NvLink> eighteen(18, nvlink(true));
  const GpuLinks a = gpu("0000:1B:00.0", eighteen), b = gpu("00000000:43:00.0", eighteen);
  EXPECT_NEAR(pair_rate(a, b)->bytes_per_s, 18 * 26.5e9, 1);
  EXPECT_EQ(pair_rate(a, b)->link, "nvlink4 x 18");
  // A bridge of two links to one neighbour, none to the other; then the narrower slot counts.
  const GpuLinks c =
      gpu("0000:0a:00.0", {nvlink(false, "0000:1b:00.0"), nvlink(false, "0000:1b:00.0")});
  const GpuLinks d =
      gpu("0000:1B:00.0", {nvlink(false, "0000:0a:00.0"), nvlink(false, "0000:0a:00.0")});
  const GpuLinks e = gpu("0000:c1:00.0", {}, 4, 8);
  EXPECT_NEAR(pair_rate(c, d)->bytes_per_s, 2 * 26.5e9, 1);
  EXPECT_EQ(pair_rate(c, e)->link, "pcie4 x 8");
  EXPECT_EQ(pair_rate(e, c)->link, "pcie4 x 8");
  // Links whose rate nobody states, and a device of which nothing is known.
  EXPECT_FALSE(pair_rate(gpu("1", {nvlink(true, "", 0)}), gpu("2", {nvlink(true, "", 0)})));
  EXPECT_FALSE(pair_rate({}, e));
}

MeasureOptions quick() {
  MeasureOptions o;
  o.time_cap = 0.05;
  o.min_samples = 3;
  return o;
}

TEST(Link, VerifiesAndTimesTheHost) {
  Meter meter((DeviceId()));
  for (const bool both : {false, true}) {
    Link link(meter, {{}, {}, CopyEngine::kHost, both}, 1 << 20);
    for (const int64_t bytes : {64, 256, 65536, 1 << 20}) {
      EXPECT_EQ(link.verify(bytes), "") << bytes;
    }
    const Measurement m = link.measure(1 << 20, quick());
    EXPECT_GT(m.median, 1e-6);
    EXPECT_LT(m.median, 0.1);
  }
}

// What a faulty link would leave behind must not pass.
TEST(Link, VerifyFindsWhatArrivedChanged) {
  Meter meter((DeviceId()));
  constexpr int64_t kBytes = 1 << 20;
  const auto damaged = [&](const std::function<void(Link&)>& damage) {
    Link link(meter, {{}, {}, CopyEngine::kHost, true}, kBytes);
    damage(link);
    return link.verify(kBytes);
  };
  const auto flip = [](int direction, int64_t at) {
    return [=](Link& l) { l.source(direction).data()[at] ^= std::byte{1}; };
  };
  EXPECT_NE(damaged(flip(0, kBytes - 1)).find("byte 1048568 of 1048576"), std::string::npos);
  EXPECT_NE(damaged(flip(1, 3)).find("byte 0 of"), std::string::npos);
  EXPECT_NE(damaged([](Link& l) {  // one word further
              std::memmove(l.source(0).data() + 8, l.source(0).data(), kBytes - 8);
            }),
            "");
  EXPECT_NE(damaged([](Link& l) {  // two pages swapped
              std::swap_ranges(l.source(0).data(), l.source(0).data() + 4096,
                               l.source(0).data() + 8192);
            }),
            "");
  EXPECT_NE(damaged([](Link& l) { std::swap(l.source(0), l.source(1)); }), "");  // the other way's
  EXPECT_EQ(damaged([](Link&) {}), "");
}

TEST(LoadChain, OneLoadAtATime) {
  Meter meter((DeviceId()));
  LoadChain small(meter, {}, 16 << 10), large(meter, {}, int64_t{256} << 20);
  EXPECT_EQ(small.verify(), "");
  EXPECT_EQ(large.verify(), "");
  const double near = small.measure(quick()).median, far = large.measure(quick()).median;
  EXPECT_GT(near, 2e-10);
  EXPECT_GT(far, 2 * near);  // memory against the first cache
  EXPECT_LT(far, 1e-5);
}

std::vector<LinkWay> ways_of(DeviceId gpu) {
  const Place pageable{{}, false}, pinned{{}, true}, device{gpu, false};
  return {
      {pageable, device, CopyEngine::kCopy, false}, {device, pageable, CopyEngine::kCopy, false},
      {pinned, device, CopyEngine::kCopy, false},   {device, pinned, CopyEngine::kCopy, true},
      {pinned, device, CopyEngine::kPull, true},    {device, pinned, CopyEngine::kPush, false},
      {device, device, CopyEngine::kCopy, false},   {device, device, CopyEngine::kPush, true}};
}

TEST(LinkCuda, EveryWayOfOneDevice) {
  EMBER_NEEDS_CUDA();
  const DeviceId gpu{DeviceKind::kCuda, 0};
  Meter meter(gpu);
  constexpr int64_t kBytes = int64_t{16} << 20;
  for (const LinkWay& way : ways_of(gpu)) {
    const std::string name = way.from.device.str() + " to " + way.to.device.str() + " by " +
                             ember::name(way.engine) + (way.both ? ", both" : "");
    Link link(meter, way, kBytes);
    for (const int64_t bytes : {int64_t{256}, int64_t{4096}, kBytes}) {
      EXPECT_EQ(link.verify(bytes), "") << name;
    }
    const Measurement m = link.measure(kBytes, quick());
    EXPECT_EQ(m.gate_timeouts, 0) << name;
    const double rate = static_cast<double>(kBytes) / m.median;
    std::printf("%-28s %.1f GB/s\n", name.c_str(), rate / 1e9);
    EXPECT_GT(rate, 5e8) << name;
    EXPECT_LT(rate, 1e13) << name;
  }
}

TEST(LinkCuda, OneLoadAtATime) {
  EMBER_NEEDS_CUDA();
  const DeviceId gpu{DeviceKind::kCuda, 0};
  Meter meter(gpu);
  LoadChain here(meter, {gpu, false}, int64_t{256} << 20);
  LoadChain host(meter, {{}, true}, int64_t{64} << 20);
  EXPECT_EQ(here.verify(), "");
  EXPECT_EQ(host.verify(), "");
  const double near = here.measure(quick()).median, far = host.measure(quick()).median;
  std::printf("one load: %.0f ns here, %.0f ns from the host\n", near * 1e9, far * 1e9);
  EXPECT_GT(near, 1e-7);
  EXPECT_LT(near, 3e-6);
  EXPECT_GT(far, near);
  EXPECT_LT(far, 1e-4);
}

TEST(LinkCuda, EveryPairOfDevices) {
  EMBER_NEEDS_CUDA();
  // One GPU alone has no pair: nothing to find then, and nothing skipped.
  const auto gpus = cuda_devices();
  constexpr int64_t kBytes = int64_t{16} << 20;
  for (const auto& from : gpus) {
    for (const auto& to : gpus) {
      const Place a{{DeviceKind::kCuda, from.index}}, b{{DeviceKind::kCuda, to.index}};
      if (from.index == to.index || !cuda::enable_peer_copies(from.index, to.index).empty()) {
        continue;
      }
      for (const CopyEngine engine : {CopyEngine::kCopy, CopyEngine::kPush, CopyEngine::kPull}) {
        for (const bool both : {false, true}) {
          Meter meter(copying_device(a, b, engine));
          Link link(meter, {a, b, engine, both}, kBytes);
          EXPECT_EQ(link.verify(256), "") << name(engine);
          EXPECT_EQ(link.verify(kBytes), "") << name(engine);
          const Measurement m = link.measure(kBytes, quick());
          EXPECT_EQ(m.gate_timeouts, 0) << name(engine);
          EXPECT_GT(static_cast<double>(kBytes) / m.median, 5e8) << name(engine);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ember
