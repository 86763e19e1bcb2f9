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
    return feed(session, ids, n, options, RangeKind::kPrefillChunk);
  }
  TensorView decode(Session& session, int32_t id) override {
    return feed(session, &id, 1, PrefillOptions{}, RangeKind::kDecodeStep);
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
  };

  void load_weights(const RuntimeOptions& options);
  void make_hops(HopPath path);
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
  StageArgs args(const Stage& stage, const Session& session, size_t index, int64_t tokens) const;
  // `finish`: what to do in place of the last row's logits, whose stage's pass it is given.
  using Finish = std::function<void(const StageArgs&)>;
  TensorView feed(Session& session, const int32_t* ids, int64_t n, const PrefillOptions& options,
                  RangeKind range, const Finish& finish = {});
  // The token after the pass.
  int32_t choose(const StageArgs& args, const DecodeParams& params);
  // One chunk through all stages; the residual stream is then in the last stage's workspace.
  // watch: StageArgs::watch of each stage.
  using Watch = std::function<void(const TapPoint&, const TensorView&)>;
  void run_chunk(Session& session, const int32_t* ids, int64_t tokens, bool step,
                 const std::vector<Watch>& watch = {});
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
