// SPDX-License-Identifier: Apache-2.0
// On the emulated device: the CPU computing with 16-bit activations as the CUDA backend does.
#include "engine/runtime/fp16_guard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "engine/backend/emulated_device.h"
#include "engine/backend/finite_backend.h"
#include "engine/backend/forwarding_backend.h"
#include "engine/runtime/runtime.h"
#include "kernels/base/half.h"

namespace ember {
namespace {

// random:tiny with some tensors times a power of two, which bf16 holds exactly.
class Scaled : public IWeightSource {
 public:
  explicit Scaled(std::map<WeightRole, float> factors)
      : inner_(open_weights("random:tiny:bf16")), factors_(std::move(factors)) {
    for (const auto& [role, factor] : factors_) {
      for (int64_t l = 0; l < config().shape.L; ++l) {
        const TensorView v = inner_->tensor(role, l);
        std::vector<BF16>& to = scaled_[{role, l}];
        for (int64_t i = 0; i < v.numel(); ++i) {
          to.push_back(from_float<BF16>(to_float(v.as<BF16>()[i]) * factor));
        }
      }
    }
  }
  const ModelConfig& config() const override { return inner_->config(); }
  TensorView tensor(WeightRole role, int64_t layer) const override {
    TensorView v = inner_->tensor(role, layer);
    const auto found = scaled_.find({role, layer});
    if (found != scaled_.end()) {
      v.data = const_cast<BF16*>(found->second.data());
    }
    return v;
  }
  int64_t tensor_bytes(WeightRole role, int64_t layer) const override {
    return inner_->tensor_bytes(role, layer);
  }
  std::string description() const override { return "scaled " + inner_->description(); }
  std::string dir() const override { return ""; }

 private:
  std::shared_ptr<const IWeightSource> inner_;
  std::map<WeightRole, float> factors_;
  std::map<std::pair<WeightRole, int64_t>, std::vector<BF16>> scaled_;
};

// Undoes the guard: what was computed before it stood.
class Unguarded : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  void swiglu(const k::SwigluParams& p) override { inner().swiglu({p.y, p.gate, p.up, 1.0f}); }
  void linear(const k::LinearParams& p) override {
    inner().linear({p.y, p.x, p.w, 1.0f, p.accumulate});
  }
};

enum class Guard { kOn, kOff };
enum class Steps { kApart, kAtOnce };  // the layers of a step

// Logits of a prefill and of two decode steps, one after another.
std::vector<float> logits(const std::shared_ptr<const IWeightSource>& source, int stages,
                          const std::string& dtype, Guard guard = Guard::kOn,
                          Steps steps = Steps::kApart) {
  RuntimeOptions o;
  o.devices.assign(static_cast<size_t>(stages), DeviceId{});
  o.context = 64;
  if (dtype != "fp32") {
    o.decorate = [&](std::unique_ptr<IBackend>, int64_t) -> std::unique_ptr<IBackend> {
      auto device = make_emulated_device(dtype == "fp16" ? DType::kF16 : DType::kBF16,
                                         steps == Steps::kAtOnce);
      return guard == Guard::kOn ? std::move(device)
                                 : std::make_unique<Unguarded>(std::move(device));
    };
  }
  const auto runtime = make_runtime(source, o);
  const auto session = runtime->new_session(64);
  std::vector<float> all;
  const auto keep = [&](const TensorView& v) {
    all.insert(all.end(), v.as<float>(), v.as<float>() + v.numel());
  };
  const std::vector<int32_t> ids = {5, 9, 200, 3, 77, 150, 31};
  keep(runtime->prefill(*session, ids.data(), static_cast<int64_t>(ids.size())));
  keep(runtime->decode(*session, 12));
  keep(runtime->decode(*session, 99));
  return all;
}

// Infinity unless every value is finite.
double relative_l2(const std::vector<float>& got, const std::vector<float>& want) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (!std::isfinite(got[i])) {
      return std::numeric_limits<double>::infinity();
    }
    error += std::pow(static_cast<double>(got[i]) - want[i], 2);
    norm += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(error / norm);
}

TEST(Fp16Guard, Shift) {
  EXPECT_EQ(fp16_shift(0), 0);
  EXPECT_EQ(fp16_shift(16376), 0);
  EXPECT_EQ(fp16_shift(16377), 1);
  EXPECT_EQ(fp16_shift(65504), 2);
  EXPECT_EQ(fp16_shift(1e6f), 6);
  EXPECT_EQ(fp16_shift(std::numeric_limits<float>::infinity()), 0);
  EXPECT_EQ(fp16_shift(std::nanf("")), 0);
}

TEST(Fp16Guard, AnOverflowingModelGivesTheRightLogits) {
  // Gates and ups in the thousands, their products in the millions.
  const auto source = std::make_shared<Scaled>(
      std::map<WeightRole, float>{{WeightRole::kGate, 4096.0f}, {WeightRole::kUp, 4096.0f}});
  const std::vector<float> truth = logits(source, 1, "fp32");
  EXPECT_TRUE(std::isinf(relative_l2(logits(source, 1, "fp16", Guard::kOff), truth)))
      << "the model does not overflow: the test proves nothing";
  const double bf16 = relative_l2(logits(source, 1, "bf16"), truth);
  for (int stages : {1, 2}) {
    // bf16 has fp32's range and needs no guard; fp16 is finer wherever it is in range.
    const double fp16 = relative_l2(logits(source, stages, "fp16"), truth);
    EXPECT_TRUE(fp16 <= bf16) << stages << " stages: " << fp16 << " against " << bf16;
    const double at_once =
        relative_l2(logits(source, stages, "fp16", Guard::kOn, Steps::kAtOnce), truth);
    EXPECT_TRUE(at_once <= bf16) << stages << " stages: " << at_once << " against " << bf16;
  }
}

TEST(Finite, NamesTheFirstTapThatOverflowed) {
  const auto report = std::make_shared<FiniteReport>();
  RuntimeOptions o;
  o.context = 64;
  o.decorate = [&](std::unique_ptr<IBackend>, int64_t) {
    return watch_finite(std::make_unique<Unguarded>(make_emulated_device(DType::kF16)), report);
  };
  const auto source = std::make_shared<Scaled>(
      std::map<WeightRole, float>{{WeightRole::kGate, 4096.0f}, {WeightRole::kUp, 4096.0f}});
  const auto runtime = make_runtime(source, o);
  EXPECT_EQ(report->not_finite(), 0);  // the pass at load is not shown
  const auto session = runtime->new_session(64);
  const std::vector<int32_t> ids = {5, 9, 200, 3};
  runtime->prefill(*session, ids.data(), 4);
  EXPECT_GT(report->not_finite(), 0);
  EXPECT_NE(report->str().find("first: layer 0, tap swiglu, position 0: "), std::string::npos)
      << report->str();
}

TEST(Fp16Guard, AnOrdinaryModelKeepsItsBits) {
  const auto source = open_weights("random:tiny:bf16");
  EXPECT_EQ(logits(source, 1, "fp16", Guard::kOn), logits(source, 1, "fp16", Guard::kOff));
}

TEST(Fp16Guard, NamesTensorsThatCannotBeHelped) {
  EXPECT_TRUE(check_norm_gains(Scaled({}), 0, 2, true).empty());
  const Scaled gains({{WeightRole::kPostNorm, 65536.0f}});
  const std::vector<std::string> lines = check_norm_gains(gains, 0, 1, true);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("model.layers.0.post_attention_layernorm.weight"), std::string::npos);
  EXPECT_NE(lines[0].find("--dtype bf16"), std::string::npos);

  ::testing::internal::CaptureStderr();
  logits(std::make_shared<Scaled>(std::map<WeightRole, float>{{WeightRole::kQ, 1048576.0f}}), 1,
         "fp16");
  const std::string err = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(err.find("layer 0: q_proj overflows fp16"), std::string::npos) << err;
}

}  // namespace
}  // namespace ember
