// SPDX-License-Identifier: Apache-2.0
// The benches on a GPU: events and gates see what ran, and change nothing of it.
#include <gtest/gtest.h>

#include <map>

#include "harness/environment.h"
#include "kernels/base/env_testing.h"
#include "kernels/common/cuda_testing.h"
#include "kernels/decode_layers/decode_layers.h"
#include "reports/stats.h"
#include "reports/writer.h"
#include "suites/bench/e2e.h"
#include "suites/bench/kernels.h"
#include "suites/bench/phases.h"

namespace ember {
namespace {

constexpr DeviceId kGpu{DeviceKind::kCuda, 0};

template <class Timer>
std::unique_ptr<IRuntime> runtime(Timer& timer, size_t stages) {
  RuntimeOptions o;
  o.devices.assign(stages, kGpu);
  o.context = 256;
  o.dtype = "bf16";
  o.decorate = [&](std::unique_ptr<IBackend> b, int64_t stage) {
    return timer.decorate(std::move(b), stage);
  };
  return make_runtime(open_weights("random:tiny:bf16"), o);
}

const report::Case& find(const report::Report& r, const std::string& start,
                         const std::string& part = "") {
  for (const report::Case& c : r.cases) {
    if (c.id.rfind(start, 0) == 0 && c.id.find(part) != std::string::npos) {
      return c;
    }
  }
  ADD_FAILURE() << "no case " << start << " … " << part;
  static const report::Case none;
  return none;
}

double median(const report::Case& c) {
  return c.samples.empty() ? 0 : report::median(c.samples[0].values);
}

TEST(E2eBenchCuda, StagesAndUnreadSteps) {
  EMBER_NEEDS_CUDA();
  E2eOptions o;
  o.model = "tiny";
  o.prompts = {16};
  o.depths = {32};
  o.tokens = 64;
  o.repetitions = 3;
  std::string hash;
  for (const size_t stages : {1, 2}) {
    SCOPED_TRACE(stages);
    StageTimer timer;
    const auto runs = runtime(timer, stages);
    report::Report r = start_report({"test"}, {kGpu});
    bench_e2e(*runs, Ceilings(), o, &timer, &r);
    for (const report::Case& c : r.cases) {
      EXPECT_EQ(c.status, report::Status::kOk) << c.id << ": " << c.reason;
    }
    const report::Case& decode = find(r, "e2e/decode/");
    ASSERT_EQ(decode.stages.size(), stages);
    double busy = 0;
    for (const report::Stage& s : decode.stages) {
      EXPECT_GT(*s.busy_share, 0.005);
      EXPECT_EQ(s.hop_s.has_value(), stages > 1);
      busy += *s.busy_share;
    }
    EXPECT_LE(busy, 1.05);  // a token is in one stage at a time
    // Nothing but the devices is waited for; the bounds are wide, as the card may be shared.
    EXPECT_LT(median(find(r, "e2e/decode_unread/")), 2 * median(decode));
    EXPECT_LE(median(find(r, "e2e/decode_given/")), 1.01 * median(find(r, "e2e/decode_unread/")));
    EXPECT_EQ(decode.output_sha256, hash.empty() ? decode.output_sha256.value_or("") : hash);
    hash = decode.output_sha256.value_or("");
    EXPECT_NO_THROW(report::to_json(r));
  }
}

// Runs a test with the layers of a step apart, or as one kernel.
struct Layers : ScopedEnv {
  explicit Layers(bool at_once) : ScopedEnv("EMBER_DECODE_LAYERS", at_once ? "1" : "0") {}
  static bool can() {
    return k::decode_layers_chosen(find_preset("tiny")->shape, DType::kBF16, kGpu);
  }
};

TEST(PhasesBenchCuda, EveryOpHasATime) {
  EMBER_NEEDS_CUDA();
  const Layers apart(false);
  OpTimer timer;
  const auto one = runtime(timer, 1);
  PhasesOptions o;
  o.model = "tiny";
  o.prompts = {64};
  o.depths = {64};
  o.tokens = 16;
  o.repetitions = 3;
  report::Report r = start_report({"test"}, {kGpu});
  bench_phases(*one, Ceilings(), o, timer, &r);  // throws where a gate gave up
  const auto layers = static_cast<size_t>(one->config().shape.L);
  const std::map<std::string, std::vector<const char*>> passes = {
      {"phase/decode/", {"norm_linear.qkv", "linear.o", "norm_linear.gate_up", "linear.down"}},
      {"phase/prefill/",
       {"rmsnorm", "linear.qkv", "qk_norm_rope", "attention", "linear.o", "linear.gate_up",
        "swiglu", "linear.down"}}};
  for (const auto& [pass, ops] : passes) {
    for (const char* op : ops) {
      const report::Case& c = find(r, pass, std::string("op=") + op + "/");
      ASSERT_EQ(c.samples.size(), 1u) << pass << op;
      EXPECT_EQ(c.samples[0].values.size(), layers) << c.id;
      // Without launches, and without two events: a kernel of this model takes microseconds.
      EXPECT_GT(median(c), 0) << c.id;
      EXPECT_LT(median(c), 200e-6) << c.id;
    }
    EXPECT_GT(median(find(r, pass, "linear.head")), 0) << pass;
    EXPECT_GT(median(find(r, pass, "op=sum")), 0) << pass;
    EXPECT_GT(median(find(r, pass, "op=step")), 0) << pass;
  }
  EXPECT_NO_THROW(report::to_json(r));
}

TEST(PhasesBenchCuda, LayersAsOneKernelAreOneOp) {
  EMBER_NEEDS_CUDA();
  const Layers at_once(true);
  if (!Layers::can()) {
    GTEST_SKIP() << "no such kernel for this device";
  }
  OpTimer timer;
  const auto two = runtime(timer, 2);
  PhasesOptions o;
  o.model = "tiny";
  o.prompts = {};
  o.depths = {64};
  o.tokens = 16;
  report::Report r = start_report({"test"}, {kGpu});
  bench_phases(*two, Ceilings(), o, timer, &r);
  const report::Case& layers = find(r, "phase/decode/", "op=decode_layers/");
  ASSERT_EQ(layers.samples.size(), 1u);
  EXPECT_EQ(layers.samples[0].values.size(), 1u);
  EXPECT_GT(median(layers), 0);
  EXPECT_LT(median(layers), median(find(r, "phase/decode/", "op=sum")));
  for (const report::Case& c : r.cases) {
    for (const char* apart : {"op=layers/", "op=linear.o/", "op=norm_linear.qkv/"}) {
      EXPECT_EQ(c.id.find(apart), std::string::npos) << c.id;
    }
  }
  EXPECT_NO_THROW(report::to_json(r));
}

class KernelsBenchCuda : public ::testing::TestWithParam<bool> {};

TEST_P(KernelsBenchCuda, EachCaseHasItsResources) {
  EMBER_NEEDS_CUDA();
  const Layers layers(GetParam());
  Meter meter(kGpu);
  KernelsOptions o;
  o.tokens = {1, 512};
  o.depths = {64};
  o.measure.time_cap = 0.05;
  o.measure.target = 0.5;
  report::Report r = start_report({"test"}, {kGpu});
  bench_kernels(meter, "tiny", find_preset("tiny")->shape, DType::kBF16, Ceilings(), o, &r);
  find(r, "kernel/sum");
  if (GetParam() && Layers::can()) {
    find(r, "kernel/decode_layers");
  } else {
    find(r, "kernel/norm_linear.qkv");
  }
  bool library = false;
  for (const report::Case& c : r.cases) {
    EXPECT_EQ(c.verified, true) << c.id << ": " << c.reason;
    if (c.id.rfind("kernel/sum", 0) == 0) {
      continue;
    }
    ASSERT_TRUE(c.kernel.has_value()) << c.id;
    ASSERT_FALSE(c.kernel->launches.empty()) << c.id;
    for (const report::KernelLaunch& l : c.kernel->launches) {
      library = library || l.kernel == "library";
      if (l.kernel != "library") {
        EXPECT_GT(*l.registers, 0) << c.id << " " << l.kernel;
        EXPECT_EQ(*l.spill_bytes, 0) << c.id << " " << l.kernel;  // a spill does not build
        EXPECT_GT(*l.blocks, 0) << c.id;
        EXPECT_GT(*l.threads, 0) << c.id;
        EXPECT_FALSE(l.kernel.empty()) << c.id;
      }
    }
  }
  EXPECT_TRUE(library);  // the products of 512 tokens
  EXPECT_NO_THROW(report::to_json(r));
}

INSTANTIATE_TEST_SUITE_P(Layers, KernelsBenchCuda, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "AtOnce" : "Apart"; });

}  // namespace
}  // namespace ember
