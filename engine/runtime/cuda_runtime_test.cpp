// SPDX-License-Identifier: Apache-2.0
// The whole engine on a CUDA device, judged by the CPU backend's fp32.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "engine/backend/forwarding_backend.h"
#include "engine/core/clock.h"
#include "engine/runtime/runtime.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

const DeviceId kCpu{};
const DeviceId kGpu{DeviceKind::kCuda, 0};

using Rows = std::vector<std::vector<float>>;

std::vector<int32_t> prompt(int64_t n, int64_t vocab, uint32_t seed = 7) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    ids.push_back(static_cast<int32_t>((seed >> 8) % vocab));
  }
  return ids;
}

std::shared_ptr<const IWeightSource> tiny() {
  static const auto source = open_weights("random:tiny:bf16");
  return source;
}

std::shared_ptr<const IWeightSource> odd() {
  static const auto source = open_weights(std::string(EMBER_SOURCE_DIR) + "/golden/models/odd");
  return source;
}

RuntimeOptions options(std::vector<DeviceId> devices, const std::string& dtype = "auto") {
  RuntimeOptions o;
  o.devices = std::move(devices);
  o.dtype = dtype;
  o.context = 400;
  return o;
}

std::vector<float> copy(const TensorView& v) {
  const float* p = v.as<float>();
  return std::vector<float>(p, p + v.numel());
}

// Logits of every position: `prefill` tokens in chunks, the rest one at a time.
Rows all_logits(const std::shared_ptr<const IWeightSource>& source, const RuntimeOptions& o,
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

double relative_l2(const Rows& got, const Rows& want) {
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
double allowed(const std::string& dtype) {
  return dtype == "fp32" ? 1e-5 : 6 * std::ldexp(1.0, dtype == "fp16" ? -11 : -8);
}

// First, while none of the device's code is loaded: what a run really takes of the device, held
// against the plan. Memory of other processes must not change meanwhile.
TEST(CudaRuntime, PlanCoversWhatIsUsed) {
  EMBER_NEEDS_CUDA();
  for (const char* dtype : {"bf16", "fp16"}) {
    RuntimeOptions o = options({kGpu, kGpu}, dtype);
    o.context = 4096;
    o.chunk = 1024;
    const int64_t before = cuda_devices()[0].free_bytes;
    const auto runtime = make_runtime(tiny(), o);
    const auto session = runtime->new_session(o.context);
    const auto ids = prompt(2000, tiny()->config().shape.V);
    runtime->prefill(*session, ids.data(), 2000);
    for (int i = 0; i < 4; ++i) {
      runtime->decode(*session, 1);
    }
    const int64_t used = before - cuda_devices()[0].free_bytes;
    const DevicePlan& plan = runtime->memory_plan().devices[0];
    int64_t overhead = 0;
    for (const MemoryItem& item : plan.overhead) {
      overhead += item.bytes;
    }
    std::fprintf(stderr, "%s: planned %s, used %s, of the overhead planned %s really %s\n", dtype,
                 human_bytes(plan.needed).c_str(), human_bytes(used).c_str(),
                 human_bytes(overhead).c_str(), human_bytes(overhead + used - plan.needed).c_str());
    EXPECT_LE(used, plan.needed);
    constexpr int64_t kRounding = int64_t{16} << 20;  // small pieces share what is there already
    EXPECT_GE(used + kRounding, plan.needed - overhead);
  }
}

TEST(CudaRuntime, AgreesWithTheCpu) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : {tiny(), odd()}) {
    const auto ids = prompt(330, source->config().shape.V);
    for (int64_t prefill : {1, 30, 300}) {
      const std::vector<int32_t> part(ids.begin(), ids.begin() + prefill + 30);
      const Rows want = all_logits(source, options({kCpu}), part, prefill);
      for (const char* dtype : {"fp32", "fp16", "bf16"}) {
        const double error =
            relative_l2(all_logits(source, options({kGpu}, dtype), part, prefill), want);
        EXPECT_TRUE(error <= allowed(dtype))
            << source->description() << " " << dtype << " prefill " << prefill << ": " << error;
        std::fprintf(stderr, "%s %s prefill %d: relative L2 %.3g\n", source->description().c_str(),
                     dtype, static_cast<int>(prefill), error);
      }
    }
  }
}

// A decorator that passes everything on: the decoder then runs op by op, without graphs.
TEST(CudaRuntime, GraphsEqualTheirOpsToTheBit) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : {tiny(), odd()}) {
    const auto ids = prompt(200, source->config().shape.V);
    RuntimeOptions plain = options({kGpu});
    plain.decorate = [](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
      return std::make_unique<EagerBackend>(std::move(b));
    };
    for (int64_t prefill : {1, 120}) {
      EXPECT_TRUE(all_logits(source, options({kGpu}), ids, prefill) ==
                  all_logits(source, plain, ids, prefill));
    }
  }
}

// Fused ops leave roundings out: their steps differ from those of the ops they replace, by less
// than the roundings of either.
TEST(CudaRuntime, FusedOpsComputeWhatTheirPartsDo) {
  EMBER_NEEDS_CUDA();
  for (const auto& source : {tiny(), odd()}) {
    const auto ids = prompt(200, source->config().shape.V);
    RuntimeOptions parts = options({kGpu});
    parts.decorate = [](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
      return std::make_unique<ForwardingBackend>(std::move(b));
    };
    const Rows fused = all_logits(source, options({kGpu}), ids, 100);
    const Rows apart = all_logits(source, parts, ids, 100);
    double error = 0, norm = 0;
    for (size_t i = 100; i < ids.size(); ++i) {
      for (size_t v = 0; v < fused[i].size(); ++v) {
        const double d = fused[i][v] - apart[i][v];
        error += d * d;
        norm += static_cast<double>(apart[i][v]) * apart[i][v];
      }
    }
    EXPECT_GT(error, 0) << "no op was fused";
    // Either is that far from the CPU at most, in directions of its own.
    EXPECT_LE(std::sqrt(error / norm), std::sqrt(2.0) * allowed("bf16"));
  }
}

TEST(CudaRuntime, RepeatsAreBitEqual) {
  EMBER_NEEDS_CUDA();
  const auto ids = prompt(90, tiny()->config().shape.V);
  const Rows one = all_logits(tiny(), options({kGpu}), ids, 60);
  EXPECT_TRUE(all_logits(tiny(), options({kGpu}), ids, 60) == one);
}

// Every cut of the pipeline, every way of a hop, several chunks: the bits of one stage. A small
// hop is one of up to 64 tokens here.
TEST(CudaRuntime, StagesAreBitEqual) {
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
TEST(CudaRuntime, StagesOverASlowLinkAreBitEqual) {
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
TEST(CudaRuntime, StagesThatRunAheadAreBitEqual) {
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

TEST(CudaRuntime, StagesInPoisonedMemoryAreBitEqual) {
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
TEST(CudaRuntime, CpuAndGpuShareAModel) {
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

// Two sessions in turns: recorded steps must not mix up their caches.
TEST(CudaRuntime, SessionsDoNotDisturbEachOther) {
  EMBER_NEEDS_CUDA();
  const auto runtime = make_runtime(tiny(), options({kGpu}));
  const auto a = prompt(40, runtime->config().shape.V, 1);
  const auto b = prompt(40, runtime->config().shape.V, 2);
  const auto alone = [&](const std::vector<int32_t>& ids) {
    const auto s = runtime->new_session(64);
    runtime->prefill(*s, ids.data(), 20);
    std::vector<float> last;
    for (size_t i = 20; i < ids.size(); ++i) {
      last = copy(runtime->decode(*s, ids[i]));
    }
    return last;
  };
  const auto want_a = alone(a), want_b = alone(b);
  const auto sa = runtime->new_session(64), sb = runtime->new_session(64);
  runtime->prefill(*sa, a.data(), 20);
  runtime->prefill(*sb, b.data(), 20);
  std::vector<float> got_a, got_b;
  for (size_t i = 20; i < a.size(); ++i) {
    got_a = copy(runtime->decode(*sa, a[i]));
    got_b = copy(runtime->decode(*sb, b[i]));
  }
  EXPECT_EQ(got_a, want_a);
  EXPECT_EQ(got_b, want_b);
}

TEST(CudaRuntime, TruncateForgets) {
  EMBER_NEEDS_CUDA();
  const auto runtime = make_runtime(tiny(), options({kGpu}));
  const auto ids = prompt(40, runtime->config().shape.V, 3);
  const auto other = prompt(40, runtime->config().shape.V, 4);
  const auto decode_rest = [&](Session& s) {
    std::vector<float> last;
    for (size_t i = 20; i < ids.size(); ++i) {
      last = copy(runtime->decode(s, ids[i]));
    }
    return last;
  };
  const auto fresh = runtime->new_session(64);
  runtime->prefill(*fresh, ids.data(), 20);
  const auto want = decode_rest(*fresh);
  const auto reused = runtime->new_session(64);
  runtime->prefill(*reused, ids.data(), 20);
  runtime->prefill(*reused, other.data(), 40);
  reused->truncate(20);
  EXPECT_EQ(decode_rest(*reused), want);
}

TEST(CudaRuntime, TooLittleMemoryIsRefusedBeforeLoading) {
  EMBER_NEEDS_CUDA();
  for (const auto& devices : {std::vector<DeviceId>{kGpu}, std::vector<DeviceId>{kGpu, kGpu}}) {
    RuntimeOptions o = options(devices);
    o.mem_limit = plan_runtime(*tiny(), o).devices[0].needed;
    EXPECT_TRUE(plan_runtime(*tiny(), o).fits());
    make_runtime(tiny(), o);
    --o.mem_limit;
    bool loading = false;
    o.on_load = [&](int64_t, int64_t) { loading = true; };
    try {
      make_runtime(tiny(), o);
      FAIL() << "nothing thrown";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kOutOfMemory) << e.what();
      for (const char* part : {"device 0 needs ", "(--mem-limit)", "A context of 399 tokens fits",
                               "cuBLASLt workspace", "CUDA code and graphs"}) {
        EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
      }
    }
    EXPECT_FALSE(loading);
  }
}

// Counts what passes through allocate().
class CountingBackend : public ForwardingBackend {
 public:
  CountingBackend(std::unique_ptr<IBackend> inner, int64_t* bytes)
      : ForwardingBackend(std::move(inner)), bytes_(bytes) {}
  Memory allocate(int64_t bytes) override {
    *bytes_ += bytes;
    return ForwardingBackend::allocate(bytes);
  }

 private:
  int64_t* bytes_;
};

TEST(CudaRuntime, PlanEqualsWhatIsAllocated) {
  EMBER_NEEDS_CUDA();
  RuntimeOptions o = options({kGpu, kGpu, kGpu});
  std::vector<int64_t> allocated(3, 0);
  o.decorate = [&](std::unique_ptr<IBackend> inner, int64_t stage) {
    return std::make_unique<CountingBackend>(std::move(inner), &allocated[stage]);
  };
  const auto runtime = make_runtime(tiny(), o);
  const auto session = runtime->new_session(o.context);
  for (size_t s = 0; s < 3; ++s) {
    const StagePlan& p = runtime->memory_plan().stages[s];
    EXPECT_EQ(p.total() - p.weights - p.scratch_bytes(), allocated[s]) << "stage " << s;
  }
  const LoadStats load = runtime->load_stats();
  EXPECT_EQ(load.copied_bytes, load.bytes);
  EXPECT_GT(load.gb_s(), 0);
}

}  // namespace
}  // namespace ember
