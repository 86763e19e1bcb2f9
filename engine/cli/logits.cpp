// SPDX-License-Identifier: Apache-2.0
// ember logits: what the model computes for a given list of ids, written to a safetensors file row
// by row as it is computed: the whole (T, V) matrix is never in memory.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "engine/backend/forwarding_backend.h"
#include "engine/cli/command.h"
#include "engine/cli/flags.h"
#include "engine/cli/prompt.h"
#include "engine/cli/signals.h"
#include "engine/core/log.h"
#include "engine/core/version.h"
#include "engine/io/safetensors_writer.h"
#include "engine/model/weight_source.h"
#include "engine/runtime/runtime.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr int64_t kLogitRows = 64;  // rows computed and written at once

struct Flags {
  ModelFlags model;
  std::vector<int64_t> ids;
  std::optional<std::string> file;
  std::string output;
  bool hidden = false;
  std::optional<int64_t> decode_from;
};

// hidden.0 is the embedding, hidden.l the residual stream after layer l.
std::string hidden_name(int64_t l) {
  return "hidden." + std::to_string(l);
}

// Writes the residual stream of every stage's layers as they come by.
class HiddenTap : public ForwardingBackend {
 public:
  HiddenTap(std::unique_ptr<IBackend> inner, SafetensorsWriter& writer)
      : ForwardingBackend(std::move(inner)), writer_(writer) {}

  bool wants_taps() const override { return true; }

  void tap(const TapPoint& at, const TensorView& view) override {
    if (at.tap == Tap::kEmbedding) {
      write(hidden_name(0), view);
    } else if (at.tap == Tap::kLayerOut) {
      write(hidden_name(at.layer + 1), view);
    }
    ForwardingBackend::tap(at, view);
  }

 private:
  void write(const std::string& name, const TensorView& view) {
    EMBER_CHECK(view.dtype == DType::kF32 && view.dense(), name, " is not dense F32");
    const void* data = view.data;
    if (view.device.kind != DeviceKind::kCpu) {
      host_.resize(static_cast<size_t>(view.numel()));
      download(view, host_.data());
      data = host_.data();
    }
    writer_.append(name, data, view.bytes());
  }

  SafetensorsWriter& writer_;
  std::vector<float> host_;
};

std::vector<int32_t> checked_ids(const Flags& flags, int64_t vocab) {
  std::vector<int32_t> ids;
  if (flags.file) {
    ids = read_ids(*flags.file, vocab);
  }
  for (size_t i = 0; i < flags.ids.size(); ++i) {
    if (flags.ids[i] < 0 || flags.ids[i] >= vocab) {
      fail(ErrorKind::kUsage, "--ids: token id ", flags.ids[i], " at position ", i,
           " is outside the vocabulary 0..", vocab - 1);
    }
    ids.push_back(static_cast<int32_t>(flags.ids[i]));
  }
  if (ids.empty()) {
    fail(flags.file ? ErrorKind::kBadInput : ErrorKind::kUsage,
         flags.file ? *flags.file + ": the list is empty" : "give --ids or -f",
         "; at least one token id is needed");
  }
  return ids;
}

SafetensorsWriter make_writer(const Flags& flags, const ModelShape& shape, int64_t tokens,
                              const IWeightSource& source) {
  std::vector<SafetensorsWriter::Spec> specs = {{"logits", DType::kF32, Shape{tokens, shape.V}}};
  for (int64_t l = 0; flags.hidden && l <= shape.L; ++l) {
    specs.push_back({hidden_name(l), DType::kF32, Shape{tokens, shape.D}});
  }
  return SafetensorsWriter(flags.output, specs,
                           {{"made_by", "ember logits"},
                            {"ember_version", version().number},
                            {"ember_commit", version().commit},
                            {"model", source.description()}});
}

void feed(IRuntime& runtime, Session& session, const std::vector<int32_t>& ids, int64_t prefilled,
          SafetensorsWriter& writer) {
  const auto write = [&writer](int64_t, const TensorView& rows) {
    SignalGuard::check();
    writer.append("logits", rows.data, rows.bytes());
  };
  const auto total = static_cast<int64_t>(ids.size());
  ProgressBar bar("computing", "tokens");
  PrefillOptions options;
  options.all_logits = true;
  options.on_logits = write;
  options.on_progress = [&](int64_t done, int64_t) {
    bar.update(static_cast<double>(done), static_cast<double>(total));
  };
  if (prefilled > 0) {
    runtime.prefill(session, ids.data(), prefilled, options);
  }
  for (int64_t i = prefilled; i < total; ++i) {
    write(i, runtime.decode(session, ids[static_cast<size_t>(i)]));
    bar.update(static_cast<double>(i), static_cast<double>(total));
  }
}

int run_logits(const Flags& flags) {
  const SignalGuard guard;
  const auto source = open_weights(flags.model.model);
  const ModelShape& shape = source->config().shape;
  const std::vector<int32_t> ids = checked_ids(flags, shape.V);
  const auto tokens = static_cast<int64_t>(ids.size());
  const int64_t prefilled = flags.decode_from.value_or(tokens);
  if (prefilled > tokens) {
    fail(ErrorKind::kUsage, "--decode-from ", prefilled, ": there are only ", tokens, " tokens");
  }
  RuntimeOptions options = runtime_options(flags.model, tokens);
  options.context = tokens;
  options.logit_rows = std::min(kLogitRows, options.chunk);
  SafetensorsWriter writer = make_writer(flags, shape, tokens, *source);
  if (flags.hidden) {
    options.decorate = [&writer](std::unique_ptr<IBackend> inner, int64_t) {
      return std::make_unique<HiddenTap>(std::move(inner), writer);
    };
  }
  const auto runtime = make_runtime(source, options);
  verbose(runtime->device_map().str());
  const auto session = runtime->new_session(tokens);
  feed(*runtime, *session, ids, prefilled, writer);
  writer.finish();
  notice("wrote ", flags.output, ": logits ", Shape{tokens, shape.V}.str(),
         flags.hidden
             ? concat(", hidden.0 to ", hidden_name(shape.L), " ", Shape{tokens, shape.D}.str())
             : "");
  return 0;
}

}  // namespace

CommandFn add_logits(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  add_model_flags(app, flags->model, false);
  CLI::Option* ids = app.add_option("--ids", flags->ids, "token ids: 1,2,3");
  CLI::Option* file =
      app.add_option("-f,--file", flags->file, "read them from JSON: a list, or {\"ids\": [...]}");
  ids->delimiter(',')->type_name("LIST")->excludes(file);
  file->type_name("FILE");
  app.add_option("-o,--output", flags->output, "the safetensors file to write: logits (T, V) F32")
      ->type_name("FILE")
      ->required();
  app.add_flag("--hidden", flags->hidden,
               "also hidden.0 (embedding) to hidden.L (after the last layer, before the final "
               "norm), (T, D) F32");
  app.add_option("--decode-from", flags->decode_from,
                 "feed the first K tokens by prefill and the rest one at a time")
      ->check(CLI::NonNegativeNumber)
      ->type_name("K");
  add_log_flags(app);
  return [flags] { return run_logits(*flags); };
}

}  // namespace ember
