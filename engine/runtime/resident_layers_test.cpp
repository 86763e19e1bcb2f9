// SPDX-License-Identifier: Apache-2.0
// Steps whose layers are one op (IBackend::decode_layers), on the emulated device.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/backend/emulated_device.h"
#include "engine/backend/forwarding_backend.h"
#include "engine/runtime/logits_testing.h"

namespace ember {
namespace {

struct Seen {
  int64_t at_once = 0;  // stages whose layers were one op
  int64_t layers = 0;   // that were taken apart, in steps and prefills
  std::set<Tap> taps;
};

class Watching : public EagerBackend {
 public:
  Watching(std::unique_ptr<IBackend> inner, Seen& seen, bool taps)
      : EagerBackend(std::move(inner)), seen_(seen), taps_(taps) {}

  bool decode_layers(const k::DecodeLayersParams& p, const ModelShape& shape) override {
    const bool done = EagerBackend::decode_layers(p, shape);
    seen_.at_once += done;
    return done;
  }
  void run_layer(const StageArgs& a, int64_t layer) override {
    seen_.layers += a.watch == nullptr;
    EagerBackend::run_layer(a, layer);
  }
  bool wants_taps() const override { return taps_; }
  void tap(const TapPoint& at, const TensorView&) override { seen_.taps.insert(at.tap); }

 private:
  Seen& seen_;
  bool taps_;
};

enum class Form { kApart, kAtOnce, kTapped };

RuntimeOptions emulated(Form form, int stages, DType dtype, Seen& seen) {
  RuntimeOptions o = options(std::vector<DeviceId>(static_cast<size_t>(stages)));
  o.chunk = 4;
  o.batch = 2;
  o.decorate = [=, &seen](std::unique_ptr<IBackend>, int64_t) -> std::unique_ptr<IBackend> {
    return std::make_unique<Watching>(make_emulated_device(dtype, form != Form::kApart), seen,
                                      form == Form::kTapped);
  };
  return o;
}

constexpr int64_t kPrompt = 9, kSteps = 12;

Rows logits(Form form, int stages, DType dtype, Seen& seen) {
  const auto ids = prompt(kPrompt + kSteps, tiny()->config().shape.V);
  return all_logits(tiny(), emulated(form, stages, dtype, seen), ids, kPrompt);
}

TEST(ResidentLayers, StepsComputeWhatTheirPartsDo) {
  const int64_t L = tiny()->config().shape.L, chunks = 3;
  for (DType dtype : {DType::kBF16, DType::kF16}) {
    SCOPED_TRACE(dtype_name(dtype));
    Seen apart, once, twice;
    const Rows want = logits(Form::kApart, 1, dtype, apart);
    const Rows got = logits(Form::kAtOnce, 1, dtype, once);
    EXPECT_EQ(apart.at_once, 0);
    EXPECT_EQ(apart.layers, (chunks + kSteps) * L);
    EXPECT_EQ(once.at_once, kSteps);
    EXPECT_EQ(once.layers, chunks * L);  // of the prompt
    for (int64_t i = 0; i < kPrompt; ++i) {
      EXPECT_EQ(got[i], want[i]) << i;
    }
    const double error = relative_l2(got, want);
    EXPECT_GT(error, 0);
    EXPECT_LE(error, std::sqrt(2.0) * allowed(dtype == DType::kF16 ? "fp16" : "bf16"));
    EXPECT_TRUE(logits(Form::kAtOnce, 3, dtype, twice) == got);
    EXPECT_EQ(twice.at_once, 3 * kSteps);
  }
}

TEST(ResidentLayers, TapsSeeTheSeparateOps) {
  Seen apart, tapped;
  const Rows want = logits(Form::kApart, 2, DType::kBF16, apart);
  EXPECT_TRUE(logits(Form::kTapped, 2, DType::kBF16, tapped) == want);
  EXPECT_EQ(tapped.at_once, 0);
  EXPECT_EQ(tapped.layers, apart.layers);
  for (Tap tap : {Tap::kAttnNorm, Tap::kQRope, Tap::kAttention, Tap::kSwiGlu, Tap::kLayerOut}) {
    EXPECT_EQ(tapped.taps.count(tap), 1u) << name(tap);
  }
}

// Only a step of one session: it has the bits of that session alone, whichever call begins it.
TEST(ResidentLayers, ABatchIsTakenApart) {
  Seen seen;
  const auto runtime = make_runtime(tiny(), emulated(Form::kAtOnce, 1, DType::kBF16, seen));
  const auto ids = prompt(kPrompt, runtime->config().shape.V);
  const auto a = runtime->new_session(32), b = runtime->new_session(32);
  for (Session* s : {a.get(), b.get()}) {
    runtime->prefill(*s, ids.data(), kPrompt);
  }
  runtime->decode({a.get(), b.get()}, {1, 2});
  EXPECT_EQ(seen.at_once, 0);
  a->truncate(kPrompt), b->truncate(kPrompt);
  const std::vector<float> want = copy(runtime->decode(*a, 3));
  EXPECT_EQ(copy(runtime->decode(std::vector<Session*>{b.get()}, {3})), want);
  EXPECT_EQ(seen.at_once, 2);
}

}  // namespace
}  // namespace ember
