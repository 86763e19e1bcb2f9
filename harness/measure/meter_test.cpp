// SPDX-License-Identifier: Apache-2.0
#include "harness/measure/meter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/core/clock.h"
#include "harness/measure/bandwidth.h"
#include "harness/measure/ceilings.h"
#include "harness/measure/planted_delay.h"
#include "kernels/base/cuda_memory.h"
#include "kernels/base/error.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

const DeviceId kCpu{};
const DeviceId kGpu{DeviceKind::kCuda, 0};

void spin(double seconds) {
  const double end = now_seconds() + seconds;
  while (now_seconds() < end) {
  }
}

Work spinning(double seconds) {
  Work w;
  w.run = [seconds](int64_t, Stream) { spin(seconds); };
  return w;
}

MeasureOptions hot() {
  MeasureOptions o;
  o.cache = CacheState::kHot;
  return o;
}

TEST(Meter, MeasuresAKnownTime) {
  Meter meter(kCpu);
  const Measurement m = meter.measure(spinning(100e-6), hot());
  EXPECT_GE(m.batch, 2);  // put together until a sample is long enough
  EXPECT_GE(m.median, 100e-6);
  EXPECT_LT(m.median, 130e-6);
  EXPECT_LE(m.low, m.median);
  EXPECT_GE(m.high, m.median);
  EXPECT_GE(static_cast<int>(m.seconds.size()), hot().min_samples);
}

TEST(Meter, SaysNoisyWhenTheTimeIsUp) {
  Meter meter(kCpu);
  MeasureOptions o = hot();
  o.time_cap = 0.2;
  o.target = 0.001;
  Work w;
  int turn = 0;
  // 1 to 6 ms, spread evenly: the median of fifty is known to a tenth, not to a thousandth.
  w.run = [&turn](int64_t, Stream) { spin(1e-3 + 5e-3 * (++turn * 61 % 97) / 97); };
  const Measurement m = meter.measure(w, o);
  EXPECT_TRUE(m.noisy);
  EXPECT_STREQ(m.stop, "time");
  EXPECT_NE(m.doubt.find(" %, 0.1 % was asked for"), std::string::npos) << m.doubt;
}

// The interval of a few values says nothing: it may be narrow by chance.
TEST(Meter, SaysWhenThereAreTooFewSamples) {
  MeasureOptions o;
  o.min_samples = 4;
  Measurement m;
  m.seconds = {1e-3, 1e-3, 1e-3};
  summarise(o, &m);
  EXPECT_TRUE(m.noisy);
  EXPECT_EQ(m.doubt, "3 samples, 4 at least are needed");
  m.seconds.push_back(1e-3);
  summarise(o, &m);
  EXPECT_FALSE(m.noisy);
  EXPECT_EQ(m.doubt, "");
}

TEST(Meter, CopiesAreUsedInTurn) {
  Meter meter(kCpu);
  MeasureOptions o;
  o.time_cap = 0.1;
  std::vector<int> used(5, 0);
  Work w;
  w.copies = 5;
  w.bytes = meter.cache_bytes();
  w.run = [&used](int64_t copy, Stream) { ++used.at(copy); };
  const Measurement m = meter.measure(w, o);
  EXPECT_EQ(m.batch % 5, 0);
  for (const int n : used) {
    EXPECT_NEAR(n, used[0], 1);
  }
}

TEST(Meter, APlantedDelayIsAShareOfTheOwnTime) {
  Meter meter(kCpu);
  MeasureOptions o = hot();
  const double plain = meter.measure(spinning(100e-6), o).median;
  o.planted_delay = 0.25;
  EXPECT_NEAR(meter.measure(spinning(100e-6), o).median / plain, 1.25, 0.05);
}

TEST(PlantedDelay, NamesCasesByTheirIds) {
  setenv("EMBER_PLANT_DELAY", "tokens=1/x=0.05", 1);
  EXPECT_EQ(planted_delay("kernel/a/tokens=1/x"), 0.05);
  EXPECT_EQ(planted_delay("kernel/a/tokens=16/x"), 0);
  for (const char* bad : {"linear", "linear=", "linear=-1", "linear=nan", "linear=1s", "=0"}) {
    setenv("EMBER_PLANT_DELAY", bad, 1);
    EXPECT_THROW(planted_delay("kernel/linear"), Error) << bad;
  }
  unsetenv("EMBER_PLANT_DELAY");
  EXPECT_EQ(planted_delay("kernel/linear"), 0);
}

TEST(Ceilings, OfTheCpu) {
  Meter meter(kCpu);
  CeilingOptions o;
  o.time_cap = 0.1;
  o.bytes = int64_t{32} << 20;
  o.gemm = {DType::kF32};
  const Ceilings c = Ceilings::measure(meter, o);
  for (const char* kind : {"mem_read", "mem_write", "mem_copy", "gemm_fp32"}) {
    ASSERT_NE(c.find(kind), nullptr) << kind;
    EXPECT_GT(c.value(kind), 1e8) << kind;
    EXPECT_LT(c.value(kind), 1e14) << kind;
  }
  EXPECT_EQ(c.find("h2d"), nullptr);
}

// A piece of ones anywhere reaches the sink, so every byte is read.
TEST(BandwidthCuda, EveryPlanReadsEveryByte) {
  EMBER_NEEDS_CUDA();
  const OwnedStream stream(kGpu);
  const int64_t pieces = (int64_t{3} << 20) + 44, bytes = pieces * 16;
  const Buffer memory(bytes, Buffer::Fill::kZero, kGpu, "memory");
  const std::vector<std::byte> ones(16, std::byte{0xff}), zeros(16);
  for (const ReadPlan& plan : kReadPlans) {
    for (const int64_t at : {int64_t{-1}, int64_t{0}, pieces / 3, pieces - 45, pieces - 1}) {
      const Buffer sink(64, Buffer::Fill::kZero, kGpu, "sink");
      const TensorView piece = memory.view(DType::kF32, {4}, std::max<int64_t>(at, 0) * 16);
      cuda::upload(piece, at < 0 ? zeros.data() : ones.data(), stream.get());
      read_memory(memory.data(), bytes, sink.data(), kGpu, stream.get(), plan);
      uint32_t found = 0;
      cuda::download(sink.view(DType::kI32, {1}), &found, stream.get());
      EXPECT_EQ(found, at < 0 ? 0u : 0xffffffffu)
          << "piece " << at << " of " << pieces << ", order " << static_cast<int>(plan.order)
          << ", " << plan.blocks_per_sm << " blocks";
      cuda::upload(piece, zeros.data(), stream.get());
    }
  }
}

TEST(MeterCuda, AgreesWithBandwidthArithmetic) {
  EMBER_NEEDS_CUDA();
  Meter meter(kGpu);
  // So large that the cache, which keeps up to 50 MiB of the last pass, moves the ratio by 3 %.
  const Buffer a(int64_t{4} << 30, Buffer::Fill::kZero, kGpu, "a");
  const Buffer sink(64, Buffer::Fill::kZero, kGpu, "sink");
  Work whole, half;
  whole.run = [&](int64_t, Stream s) { read_memory(a.data(), a.bytes(), sink.data(), kGpu, s); };
  half.run = [&](int64_t, Stream s) { read_memory(a.data(), a.bytes() / 2, sink.data(), kGpu, s); };
  const double ratio = meter.measure(whole, hot()).median / meter.measure(half, hot()).median;
  EXPECT_GT(ratio, 1.85);
  EXPECT_LT(ratio, 2.1);
}

// Launch costs of the host are not timed: slow enqueuing leaves the result as it is.
TEST(MeterCuda, EnqueuingIsNotTimed) {
  EMBER_NEEDS_CUDA();
  Meter meter(kGpu);
  const Buffer a(int64_t{64} << 20, Buffer::Fill::kZero, kGpu, "a");
  const Buffer sink(64, Buffer::Fill::kZero, kGpu, "sink");
  Work quick, slow;
  quick.graph = slow.graph = false;
  quick.run = [&](int64_t, Stream s) { read_memory(a.data(), a.bytes(), sink.data(), kGpu, s); };
  slow.run = [&](int64_t i, Stream s) {
    spin(2e-3);
    quick.run(i, s);
  };
  const double expected = meter.measure(quick, hot()).median;
  EXPECT_NEAR(meter.measure(slow, hot()).median, expected, 0.1 * expected);
}

TEST(MeterCuda, APlantedDelayIsAShareOfTheOwnTime) {
  EMBER_NEEDS_CUDA();
  Meter meter(kGpu);
  const int64_t bytes = int64_t{1} << 30;  // beside which a launch is nothing
  const Buffer a(bytes, Buffer::Fill::kZero, kGpu, "target");
  Work w;
  w.run = [&](int64_t, Stream s) { write_memory(a.data(), bytes, kGpu, s); };
  MeasureOptions o = hot();
  const double plain = meter.measure(w, o).median;
  o.planted_delay = 0.25;
  EXPECT_NEAR(meter.measure(w, o).median / plain, 1.25, 0.03);
}

TEST(MeterCuda, ColdIsSlowerThanHot) {
  EMBER_NEEDS_CUDA();
  Meter meter(kGpu);
  const int64_t bytes = meter.cache_bytes() / 4;
  const Buffer a(bytes, Buffer::Fill::kZero, kGpu, "a");
  const Buffer sink(64, Buffer::Fill::kZero, kGpu, "sink");
  Work w;
  w.bytes = bytes;
  w.run = [&](int64_t, Stream s) { read_memory(a.data(), bytes, sink.data(), kGpu, s); };
  MeasureOptions cold;
  EXPECT_GT(meter.measure(w, cold).median, 1.2 * meter.measure(w, hot()).median);
}

// Work that waits for itself would hang behind a closed gate: the gate gives up, and says so.
TEST(MeterCuda, GateTimesOutInsteadOfHanging) {
  EMBER_NEEDS_CUDA();
  Meter meter(kGpu);
  Work w;
  w.graph = false;
  w.run = [](int64_t, Stream s) { synchronize(s); };
  MeasureOptions o = hot();
  o.time_cap = 1;
  o.max_batch = 1;
  const Measurement m = meter.measure(w, o);
  EXPECT_GT(m.gate_timeouts, 0);
  EXPECT_TRUE(m.noisy);
}

TEST(CeilingsCuda, AreInOrder) {
  EMBER_NEEDS_CUDA();
  Meter meter(kGpu);
  const Ceilings c = Ceilings::measure(meter, {});
  for (const Ceiling& ceiling : c.all()) {
    std::printf("%-24s %.4g %s%s\n", ceiling.kind.c_str(), ceiling.value, ceiling.unit.c_str(),
                ceiling.noisy ? " (noisy)" : "");
  }
  EXPECT_GT(c.value("mem_read"), 0.9 * c.value("mem_copy"));
  EXPECT_GT(c.value("gemm_bf16"), 1e12);
  EXPECT_GT(c.value("mem_read"), 2 * c.value("h2d"));
  EXPECT_GE(c.value("graph_node"), c.value("graph_node_overlapped"));
}

}  // namespace
}  // namespace ember
