// SPDX-License-Identifier: Apache-2.0
// The whole engine on a CUDA device, judged by the CPU backend's fp32.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "engine/backend/forwarding_backend.h"
#include "engine/runtime/logits_testing.h"
#include "kernels/common/cuda_testing.h"

namespace ember {
namespace {

const DeviceId kCpu{};
const DeviceId kGpu{DeviceKind::kCuda, 0};

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

// Two sessions in turns: recorded steps must not mix up their caches.
TEST(CudaRuntime, SessionsDoNotDisturbEachOther) {
  EMBER_NEEDS_CUDA();
  expect_sessions_apart(*make_runtime(tiny(), options({kGpu})));
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
