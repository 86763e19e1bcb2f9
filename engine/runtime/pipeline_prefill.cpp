// SPDX-License-Identifier: Apache-2.0
// Passes of one session through the stages, with logits to the host.
#include <algorithm>
#include <optional>

#include "engine/runtime/pipeline_runtime.h"

namespace ember {

StageArgs PipelineRuntime::args(size_t index, const Session& session, const Pass& pass) const {
  const Stage& s = stages_[index];
  StageArgs a{config(), s.weights,   s.work,      s.rope,    session.caches_[index],
              pass.pos, pass.tokens, s.map.first, s.map.last};
  a.step = pass.step;
  return a;
}

void PipelineRuntime::run_pass(size_t index, const Session& session, const Pass& pass,
                               const Watch* watch) {
  Stage& s = stages_[index];
  const TensorView x = s.work.x.rows(0, pass.tokens);
  if (index == 0) {
    TensorView ids = s.work.ids;
    ids.shape = Shape{pass.tokens};
    ids.row_stride = pass.tokens;
    s.backend->upload(ids, pass.ids);
  } else {
    const ProfileRange range(RangeKind::kHop, x.bytes());
    s.backend->receive(x, *hops_[index - 1]);
  }
  StageArgs a = args(index, session, pass);
  a.watch = watch;
  if (s.turn != nullptr) {
    s.turn->wait(s.backend->queue());
  }
  s.backend->run_stage(a);
  if (s.turn != nullptr) {
    s.turn->record(s.backend->queue());
  }
  if (index < hops_.size()) {
    hops_[index]->send(x);
  }
}

TensorView PipelineRuntime::head(const StageArgs& args, int64_t first_row, int64_t rows) {
  Stage& s = stages_.back();
  s.backend->run_head(args, first_row, rows);
  TensorView logits = s.work.logits.rows(0, rows);
  if (s.backend->device().kind != DeviceKind::kCpu) {
    host_logits_.resize(logits.numel());
    s.backend->download(logits, host_logits_.data());
    logits = TensorView(host_logits_.data(), DType::kF32, logits.shape);
  }
  return logits;
}

TensorView PipelineRuntime::feed(Session& session, const int32_t* ids, int64_t n,
                                 const PrefillOptions& options, bool step, const Finish& finish) {
  check_ids(session, ids, n);
  release_loop();
  const int64_t chunk = options.chunk > 0 ? std::min(options.chunk, chunk_) : chunk_;
  const int64_t before = session.length(), stages = static_cast<int64_t>(stages_.size());
  const int64_t passes = (n + chunk - 1) / chunk;
  const auto give_up = [&] {
    for (const auto& hop : hops_) {
      hop->drop();
    }
  };
  TensorView last;
  try {
    // In turn t stage i gets pass t - i: while a pass is on its way to stage 1, stage 0 computes
    // the next one. Between CUDA devices nothing here waits for a stage.
    for (int64_t turn = 0; turn < passes + stages - 1; ++turn) {
      if (turn < passes && options.stop && options.stop()) {
        give_up();
        return TensorView();
      }
      for (int64_t i = std::max<int64_t>(0, turn - passes + 1); i < std::min(stages, turn + 1);
           ++i) {
        const int64_t done = (turn - i) * chunk;
        const Pass pass{ids + done, before + done, std::min(chunk, n - done), step};
        std::optional<ProfileRange> range;
        if (!step) {
          range.emplace(RangeKind::kPrefillChunk, pass.tokens);
        }
        run_pass(static_cast<size_t>(i), session, pass);
        if (i + 1 == stages) {
          last = end_pass(session, pass, options, done + pass.tokens == n, finish);
          if (options.on_progress) {
            options.on_progress(done + pass.tokens, n);
          }
        }
      }
    }
  } catch (...) {
    give_up();
    session.truncate(before);
    throw;
  }
  return last;
}

TensorView PipelineRuntime::end_pass(Session& session, const Pass& pass,
                                     const PrefillOptions& options, bool last_pass,
                                     const Finish& finish) {
  const StageArgs end = args(stages_.size() - 1, session, pass);
  TensorView last;
  for (int64_t row = 0; options.all_logits && row < pass.tokens;) {
    const int64_t rows = std::min(logit_rows_, pass.tokens - row);
    last = head(end, row, rows);
    if (options.on_logits) {
      options.on_logits(pass.pos + row, last);
    }
    last = last.rows(rows - 1, 1);
    row += rows;
  }
  if (last_pass && finish) {
    finish(end);
  } else if (last_pass && !options.all_logits) {
    last = head(end, pass.tokens - 1, 1);
  }
  session.ids_.insert(session.ids_.end(), pass.ids, pass.ids + pass.tokens);
  return last;
}

}  // namespace ember
