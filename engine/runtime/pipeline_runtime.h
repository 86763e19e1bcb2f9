// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "engine/runtime/pipeline_decode.h"
#include "engine/runtime/runtime.h"
#include "kernels/base/profile.h"

namespace ember {

// The only IRuntime: stages in a row, the fp32 residual stream hopping from one to the next, so
// that any split computes the same bits as one stage.
class PipelineRuntime : public IRuntime {
 public:
  PipelineRuntime(std::shared_ptr<const IWeightSource> source, const RuntimeOptions& options);

  const ModelConfig& config() const override { return source_->config(); }
  const DeviceMap& device_map() const override { return map_; }
  const MemoryPlan& memory_plan() const override { return plan_; }
  DType activation_dtype() const override { return stages_[0].backend->activation_dtype(); }
  LoadStats load_stats() const override { return load_stats_; }
  std::unique_ptr<Session> new_session(int64_t capacity) override;
  TensorView prefill(Session& session, const int32_t* ids, int64_t n,
                     const PrefillOptions& options) override {
    return feed(session, ids, n, options, false);
  }
  TensorView decode(Session& session, int32_t id) override {
    const ProfileRange range(RangeKind::kDecodeStep, session.length());
    return feed(session, &id, 1, PrefillOptions{}, true);
  }
  std::optional<int32_t> prefill_choose(Session& session, const int32_t* ids, int64_t n,
                                        const DecodeParams& params,
                                        const PrefillOptions& options) override;
  TensorView decode(const std::vector<Session*>& sessions,
                    const std::vector<int32_t>& ids) override;
  std::unique_ptr<DecodeStream> start_batch(const std::vector<DecodeSequence>& sequences) override;

 private:
  friend class PipelineDecode;

  struct Stage {
    StageMap map;
    std::unique_ptr<IBackend> backend;
    StageWeights weights;
    StageWorkspace work;
    RopeTable rope;
    // Set where stages of other devices lie between those of this one: the end of the pass that one
    // of its stages was given last, for which the next pass on the device waits.
    std::shared_ptr<Event> turn;
  };

  void load_weights(const RuntimeOptions& options);
  void make_hops(HopPath path);
  void make_turns();
  // Looks for what fp16 cannot hold, and sets act_shift of the layers.
  void guard_fp16();
  void warm_up();
  void make_loop();
  // Before the ids on the first stage's device are overwritten.
  void release_loop();
  void check_ids(const Session& session, const int32_t* ids, int64_t n) const;
  // As many sessions as may be, all different.
  void check_batch(const std::vector<Session*>& sessions) const;
  // One id of each; an error names the session by its place where there are several.
  void check_batch_ids(const std::vector<Session*>& sessions,
                       const std::vector<int32_t>& ids) const;
  void ensure_rope(int64_t capacity);
  // Tokens of one session on their way through the stages.
  struct Pass {
    const int32_t* ids;
    int64_t pos;  // of the first
    int64_t tokens;
    bool step = false;  // StageArgs::step
  };
  StageArgs args(size_t stage, const Session& session, const Pass& pass) const;
  // `finish`: what to do in place of the last row's logits, whose stage's pass it is given.
  using Finish = std::function<void(const StageArgs&)>;
  TensorView feed(Session& session, const int32_t* ids, int64_t n, const PrefillOptions& options,
                  bool step, const Finish& finish = {});
  // What follows a pass on the last stage: logits, and its tokens are the session's. Returns the
  // last row's logits where they were asked for.
  TensorView end_pass(Session& session, const Pass& pass, const PrefillOptions& options,
                      bool last_pass, const Finish& finish);
  // The token after the pass.
  int32_t choose(const StageArgs& args, const DecodeParams& params);
  // A pass through one stage, from the hop before it to the hop behind it; the residual stream is
  // then in the stage's workspace. watch: as in StageArgs.
  using Watch = std::function<void(const TapPoint&, const TensorView&)>;
  void run_pass(size_t stage, const Session& session, const Pass& pass,
                const Watch* watch = nullptr);
  // Logits of rows of the chunk just run, on the host.
  TensorView head(const StageArgs& args, int64_t first_row, int64_t rows);

  std::shared_ptr<const IWeightSource> source_;
  DeviceMap map_;
  MemoryPlan plan_;
  LoadStats load_stats_;
  int64_t chunk_;
  int64_t logit_rows_;
  int64_t batch_;
  int64_t rope_capacity_ = 0;
  std::vector<Stage> stages_;
  std::vector<std::unique_ptr<Hop>> hops_;  // hops_[i]: from stage i to stage i + 1
  HopPath hop_path_;
  std::unique_ptr<TokenLoop> loop_;  // made for the first stream
  std::vector<float> host_logits_;   // when the last stage is not on the CPU
};

}  // namespace ember
