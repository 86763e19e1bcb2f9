// SPDX-License-Identifier: Apache-2.0
#include "suites/golden_logits/engine_run.h"

#include <algorithm>
#include <utility>

#include "engine/backend/emulated_device.h"
#include "golden/compare.h"

namespace ember::golden {
namespace {

constexpr int64_t kLogitRows = 64;

DType dtype_of(const std::string& name) {
  for (DType t : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (name == dtype_name(t)) {
      return t;
    }
  }
  fail(ErrorKind::kUsage, "--emulate needs --dtype fp32, fp16 or bf16, got ", name);
}

}  // namespace

const char* name(Mode mode) {
  switch (mode) {
    case Mode::kWhole:
      return "whole";
    case Mode::kChunked:
      return "chunked";
    case Mode::kDecode:
      return "decode";
  }
  return "?";
}

const std::vector<Mode>& all_modes() {
  static const std::vector<Mode> kModes = {Mode::kWhole, Mode::kChunked, Mode::kDecode};
  return kModes;
}

Engine::Engine(std::shared_ptr<const IWeightSource> source, const EngineOptions& options)
    : context_(options.context) {
  RuntimeOptions runtime;
  runtime.devices = options.devices;
  runtime.dtype = options.emulate ? "auto" : options.dtype;
  runtime.context = runtime.chunk = context_;
  runtime.logit_rows = std::min(kLogitRows, context_);
  runtime.decorate = [&](std::unique_ptr<IBackend> backend, int64_t) {
    if (options.emulate) {
      backend = make_emulated_device(dtype_of(options.dtype));
    }
    compute_ = backend->activation_dtype();
    return options.tapped ? decorate(std::move(backend), options) : std::move(backend);
  };
  runtime_ = make_runtime(std::move(source), runtime);
}

std::unique_ptr<IBackend> Engine::decorate(std::unique_ptr<IBackend> backend,
                                           const EngineOptions& options) {
  auto counted = std::make_unique<OpCounter>(std::move(backend), ops_);
  auto tapped = std::make_unique<TapBackend>(
      std::move(counted), [this](const TapPoint& at, const TensorView& v) { sink_(at, v); },
      TapBackend::Access::kWrite,
      [this](const TapPoint& at) { return sink_ && (!wanted_ || wanted_(at)); });
  // The fault stands outermost: the bodies of composite ops run there.
  return options.fault ? plant_fault(*options.fault, std::move(tapped)) : std::move(tapped);
}

int64_t Engine::stage_begin(int64_t stage) const {
  int64_t begin = 0;
  const auto& stages = runtime_->device_map().stages;
  for (int64_t i = 0; i < stage && i < static_cast<int64_t>(stages.size()); ++i) {
    begin += stages[i].layers;
  }
  return begin;
}

void Engine::run(const std::vector<int32_t>& ids, Mode mode, const RowSink& row,
                 const TapBackend::Sink& tap, const TapBackend::Wanted& wanted) {
  sink_ = tap;
  wanted_ = wanted;
  const auto session = runtime_->new_session(context_);
  const int64_t n = static_cast<int64_t>(ids.size());
  PrefillOptions options;
  options.all_logits = true;
  options.chunk = mode == Mode::kChunked ? kChunk : 0;
  options.on_logits = [&](int64_t first, const TensorView& logits) {
    for (int64_t i = 0; i < logits.shape[0]; ++i) {
      row(first + i, logits.as<float>() + i * logits.row_stride);
    }
  };
  const int64_t head = mode == Mode::kDecode ? std::max<int64_t>(1, n - kDecodeSteps) : n;
  runtime_->prefill(*session, ids.data(), head, options);
  for (int64_t pos = head; pos < n; ++pos) {
    row(pos, runtime_->decode(*session, ids[pos]).as<float>());
  }
  sink_ = nullptr;
}

void Engine::teach(const std::vector<int32_t>& prompt, const std::vector<int32_t>& path,
                   const std::function<void(int64_t, const float*)>& row) {
  const auto session = runtime_->new_session(context_);
  TensorView logits =
      runtime_->prefill(*session, prompt.data(), static_cast<int64_t>(prompt.size()));
  for (size_t step = 0; step < path.size(); ++step) {
    row(static_cast<int64_t>(step), logits.as<float>());
    if (step + 1 < path.size()) {
      logits = runtime_->decode(*session, path[step]);
    }
  }
}

uint64_t hash_bytes(const void* data, size_t bytes) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes; ++i) {
    h = (h ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3u;
  }
  return h;
}

CaseRun run_case(Engine& engine, const Reference& ref, Mode mode, double flip_margin,
                 bool with_residual) {
  CaseRun out;
  Meter meter(ref, with_residual);
  const auto of_stream = [](const TapPoint& at) {
    return at.tap == Tap::kEmbedding || at.tap == Tap::kLayerOut;
  };
  const auto on_tap = [&](const TapPoint& at, const TensorView& v) {
    const int64_t layer = at.tap == Tap::kEmbedding ? 0 : at.layer + 1;
    const std::vector<float> rows = tap_rows(v);
    for (int64_t i = 0; i < v.shape[0]; ++i) {
      meter.residual(layer, at.first_pos + i, rows.data() + i * ref.D);
    }
  };
  engine.run(
      ref.ids, mode,
      [&](int64_t pos, const float* row) {
        meter.logits(pos, row);
        out.hashes[pos] = hash_bytes(row, ref.V * sizeof(float));
      },
      with_residual ? TapBackend::Sink(on_tap) : nullptr, of_stream);
  out.figures = meter.finish();
  out.wide_flips = meter.wide_flips(flip_margin);
  out.first_non_finite = meter.first_non_finite();
  out.missing_rows = meter.missing_rows();
  return out;
}

GreedyRun run_greedy(Engine& engine, const Reference& ref, double flip_margin) {
  GreedyRun out;
  engine.teach(ref.ids, ref.greedy_ids, [&](int64_t step, const float* logits) {
    ++out.steps;
    if (argmax(logits, ref.V) == ref.greedy_ids[step]) {
      ++out.equal;
      return;
    }
    const double margin = ref.greedy_margin[step];
    if (out.first_difference < 0) {
      out.first_difference = step;
      out.margin = margin;
    }
    out.widest = std::max(out.widest, margin);
    out.wide_differences += !(margin <= flip_margin);
  });
  return out;
}

}  // namespace ember::golden
