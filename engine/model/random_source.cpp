// SPDX-License-Identifier: Apache-2.0
#include "engine/model/random_source.h"

#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

#include "kernels/random_weights/random_weights.h"

namespace ember {
namespace {

// The published config.json of every preset agrees on these.
constexpr double kTheta = 1e6;
constexpr double kEps = 1e-6;
constexpr int64_t kMaxPosition = 40960;

std::string preset_names() {
  std::string names;
  for (const ModelPreset& p : model_presets()) {
    names += (names.empty() ? "" : ", ") + p.name;
  }
  return names;
}

uint64_t parse_seed(const std::string& model, const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const unsigned long long v = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || errno != 0) {
    fail(ErrorKind::kUsage, model, ": expected seed=N with N from 0 to 2^64-1, got seed=", text);
  }
  return v;
}

class RandomSource : public IWeightSource {
 public:
  explicit RandomSource(const RandomModelName& name) : name_(name) {
    config_.shape = find_preset(name.preset)->shape;
    config_.rms_eps = kEps;
    config_.rope.theta = kTheta;
    config_.max_position = kMaxPosition;
    config_.dtype = name.dtype;
    config_.dtype_given = true;
  }

  const ModelConfig& config() const override { return config_; }

  TensorView tensor(WeightRole role, int64_t layer) const override {
    if (role == WeightRole::kHead && config_.shape.tied) {
      role = WeightRole::kEmbedding;
    }
    const WeightRow& row = weight_row(role);
    TensorView view(nullptr, name_.dtype, row.shape(config_.shape));
    const std::lock_guard<std::mutex> lock(mutex_);
    Memory& memory = made_[{role, layer}];
    if (!memory) {
      memory.reset(::operator new(static_cast<size_t>(view.bytes()), kAlignment));
      view.data = memory.get();
      k::random_weights_cpu({view, random_weight_stream(name_.seed, role, layer),
                             row.norm ? k::RandomKind::kGain : k::RandomKind::kMatrix});
    }
    view.data = memory.get();
    return view;
  }

  int64_t tensor_bytes(WeightRole role, int64_t) const override {
    return weight_row(role).shape(config_.shape).numel() * dtype_bytes(name_.dtype);
  }

  std::string description() const override {
    return "random:" + name_.preset + " (" + dtype_name(name_.dtype) + ", seed " +
           std::to_string(name_.seed) + ")";
  }
  std::string dir() const override { return ""; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(void* p) const { ::operator delete(p, kAlignment); }
  };
  using Memory = std::unique_ptr<void, Free>;

  RandomModelName name_;
  ModelConfig config_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<WeightRole, int64_t>, Memory> made_;
};

}  // namespace

RandomModelName parse_random_model(const std::string& model) {
  RandomModelName name;
  size_t begin = model.find(':') + 1;
  bool first = true;
  while (begin <= model.size()) {
    const size_t end = std::min(model.find(':', begin), model.size());
    const std::string part = model.substr(begin, end - begin);
    begin = end + 1;
    if (first) {
      name.preset = part;
      first = false;
    } else if (part == "fp32" || part == "fp16" || part == "bf16") {
      name.dtype = part == "fp32" ? DType::kF32 : part == "fp16" ? DType::kF16 : DType::kBF16;
    } else if (part.compare(0, 5, "seed=") == 0) {
      name.seed = parse_seed(model, part.substr(5));
    } else {
      fail(ErrorKind::kUsage, model, ": unknown option '", part,
           "'; expected fp32, fp16, bf16 or seed=N");
    }
  }
  if (!find_preset(name.preset)) {
    fail(ErrorKind::kUsage, model, ": unknown preset '", name.preset, "'; expected one of ",
         preset_names());
  }
  return name;
}

uint64_t random_weight_stream(uint64_t seed, WeightRole role, int64_t layer) {
  return k::random_weights_stream(seed, weight_name(role, layer));
}

std::shared_ptr<const IWeightSource> open_random_weights(const std::string& model) {
  return std::make_shared<RandomSource>(parse_random_model(model));
}

}  // namespace ember
