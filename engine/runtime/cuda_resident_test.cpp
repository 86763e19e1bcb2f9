// SPDX-License-Identifier: Apache-2.0
// Steps whose layers are one resident kernel, on a device that has it: what the separate ops
// compute, the same bits in every way to run them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <utility>

#include "engine/backend/forwarding_backend.h"
#include "engine/model/weight_schema.h"
#include "engine/runtime/decode_testing.h"
#include "engine/runtime/logits_testing.h"
#include "kernels/base/buffer.h"
#include "kernels/base/env_testing.h"
#include "kernels/common/cuda_testing.h"
#include "kernels/random_weights/random_weights.h"

namespace ember {
namespace {

const DeviceId kGpu{DeviceKind::kCuda, 0};
constexpr int64_t kPrompt = 30, kSteps = 20;

// Layers of qwen3-0.6b, three of them, and a small vocabulary.
class ThreeLayers : public IWeightSource {
 public:
  ThreeLayers() : config_(open_weights("random:qwen3-0.6b:bf16")->config()) {
    config_.shape.L = 3;
    config_.shape.V = 1000;
  }
  const ModelConfig& config() const override { return config_; }
  TensorView tensor(WeightRole role, int64_t layer) const override {
    role = role == WeightRole::kHead && config_.shape.tied ? WeightRole::kEmbedding : role;
    const WeightRow& row = weight_row(role);
    const std::lock_guard<std::mutex> lock(mutex_);
    Buffer& memory = made_[{role, layer}];
    const Shape shape = row.shape(config_.shape);
    if (memory.bytes() == 0) {
      memory = Buffer(shape.numel() * 2, Buffer::Fill::kNone);
      k::random_weights_cpu({memory.view(DType::kBF16, shape),
                             k::random_weights_stream(1, weight_name(role, layer)),
                             row.norm ? k::RandomKind::kGain : k::RandomKind::kMatrix});
    }
    return memory.view(DType::kBF16, shape);
  }
  int64_t tensor_bytes(WeightRole role, int64_t) const override {
    return weight_row(role).shape(config_.shape).numel() * 2;
  }
  std::string description() const override { return "three layers of qwen3-0.6b"; }
  std::string dir() const override { return ""; }

 private:
  ModelConfig config_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<WeightRole, int64_t>, Buffer> made_;
};

std::shared_ptr<const IWeightSource> three_layers() {
  static const auto source = std::make_shared<ThreeLayers>();
  return source;
}

// While it lives, steps take their layers apart, or at once wherever the device can.
struct Layers : ScopedEnv {
  explicit Layers(bool at_once) : ScopedEnv("EMBER_DECODE_LAYERS", at_once ? "1" : "0") {}
};

bool has_kernel(const std::shared_ptr<const IWeightSource>& source) {
  const Layers at_once(true);
  return k::decode_layers_chosen(source->config().shape, DType::kBF16, kGpu);
}

#define EMBER_NEEDS_RESIDENT()                        \
  EMBER_NEEDS_CUDA();                                 \
  if (!has_kernel(three_layers())) {                  \
    GTEST_SKIP() << "no such kernel for this device"; \
  }                                                   \
  static_assert(true, "")

Rows logits(const RuntimeOptions& o, int64_t prefill = kPrompt) {
  return all_logits(three_layers(), o, prompt(prefill + kSteps, 1000), prefill);
}

// Counts the stages whose layers were one kernel; op by op, without graphs.
class Counting : public EagerBackend {
 public:
  Counting(std::unique_ptr<IBackend> inner, int64_t* count)
      : EagerBackend(std::move(inner)), count_(count) {}
  bool decode_layers(const k::DecodeLayersParams& p, const ModelShape& shape) override {
    const bool done = EagerBackend::decode_layers(p, shape);
    *count_ += done;
    return done;
  }

 private:
  int64_t* count_;
};

RuntimeOptions counted(std::vector<DeviceId> devices, int64_t* count) {
  RuntimeOptions o = options(std::move(devices));
  o.decorate = [count](std::unique_ptr<IBackend> b, int64_t) -> std::unique_ptr<IBackend> {
    return std::make_unique<Counting>(std::move(b), count);
  };
  return o;
}

TEST(CudaResident, StepsComputeWhatTheirPartsDo) {
  EMBER_NEEDS_RESIDENT();
  for (const char* dtype : {"bf16", "fp16"}) {
    for (int64_t prefill : {int64_t{1}, kPrompt, int64_t{350}}) {
      SCOPED_TRACE(std::string(dtype) + " after " + std::to_string(prefill));
      const RuntimeOptions o = options({kGpu}, dtype);
      const auto run = [&](bool at_once) {
        const Layers layers(at_once);
        return logits(o, prefill);
      };
      const Rows apart = run(false), at_once = run(true);
      const Rows want = all_logits(three_layers(), options({DeviceId{}}),
                                   prompt(prefill + kSteps, 1000), prefill);
      const auto steps = [&](const Rows& rows) { return Rows(rows.begin() + prefill, rows.end()); };
      const double error = relative_l2(steps(at_once), steps(apart));
      std::fprintf(stderr, "%s prefill %d: relative L2 %.3g\n", dtype, static_cast<int>(prefill),
                   error);
      EXPECT_GT(error, 0) << "the layers were taken apart";
      EXPECT_LE(error, std::sqrt(2.0) * allowed(dtype));
      EXPECT_LE(relative_l2(steps(at_once), steps(want)), allowed(dtype));
      EXPECT_TRUE(run(true) == at_once);
    }
  }
}

// As a graph and op by op, on one stage and on several of one device, on memory full of NaN.
TEST(CudaResident, EveryWayHasTheSameBits) {
  EMBER_NEEDS_RESIDENT();
  const Layers layers(true);
  const Rows want = logits(options({kGpu}));
  for (size_t stages : {1, 2, 3}) {
    SCOPED_TRACE(stages);
    const std::vector<DeviceId> devices(stages, kGpu);
    int64_t count = 0;
    EXPECT_TRUE(logits(options(devices)) == want);
    EXPECT_TRUE(logits(counted(devices, &count)) == want);
    EXPECT_EQ(count, kSteps * static_cast<int64_t>(stages));
    const ScopedEnv poison("EMBER_POISON", "1");
    EXPECT_TRUE(logits(options(devices)) == want);
  }
}

// The order of stages, each with its own kernel on every SM, under steps that nobody waits for.
TEST(CudaResident, StreamsSayWhatTheHostWouldChoose) {
  EMBER_NEEDS_RESIDENT();
  const Layers layers(true);
  const auto ids = prompt(kPrompt, 1000);
  std::vector<int32_t> want;
  for (size_t stages : {1, 2}) {
    RuntimeOptions o = options(std::vector<DeviceId>(stages, kGpu));
    const auto runtime = make_runtime(three_layers(), o);
    Continued host(*runtime, ids, sampled_params(3), 300),
        ahead(*runtime, ids, sampled_params(3), 300);
    const auto stream = ahead.stream();
    for (int i = 0; i < 100; ++i) {
      host.step();
      ahead.step(*stream);
    }
    EXPECT_EQ(ahead.ids, host.ids) << stages;
    EXPECT_EQ(ahead.look(), host.look()) << stages;
    want = want.empty() ? host.ids : want;
    EXPECT_EQ(host.ids, want) << stages;
  }
}

// A batch takes its layers apart; what is left of it goes on in resident steps.
TEST(CudaResident, ABatchThatShrinksToOne) {
  EMBER_NEEDS_RESIDENT();
  const Layers layers(true);
  int64_t count = 0;
  RuntimeOptions o = counted({kGpu}, &count);
  o.batch = 2;
  const auto runtime = make_runtime(three_layers(), o);
  Together together(*runtime, {greedy_params()}, 2, 100);
  const auto stream = together.stream();
  for (int i = 0; i < 5; ++i) {
    together.step(*stream);
  }
  EXPECT_EQ(count, 0);
  together.leave(*stream, 1);
  for (int i = 0; i < 5; ++i) {
    together.step(*stream);
  }
  EXPECT_GT(count, 0);
}

// The plan names what the kernel keeps, and nothing else.
TEST(CudaResident, ThePlanCountsItsScratch) {
  EMBER_NEEDS_RESIDENT();
  const auto scratch = [&](bool at_once, const char* dtype) {
    const Layers layers(at_once);
    const RuntimeOptions o = options({kGpu, kGpu}, dtype);
    return plan_runtime(*three_layers(), o).stages[1].scratch_bytes();
  };
  const ModelShape& m = three_layers()->config().shape;
  int sm_count = 0;
  for (const CudaDeviceInfo& gpu : cuda_devices()) {
    sm_count = gpu.index == kGpu.index ? gpu.sm_count : sm_count;
  }
  EXPECT_EQ(scratch(true, "bf16") - scratch(false, "bf16"),
            k::decode_layers_scratch_bytes(m.D, m.H, m.K, m.F, sm_count));
  EXPECT_EQ(scratch(true, "fp32"), scratch(false, "fp32"));
}

}  // namespace
}  // namespace ember
