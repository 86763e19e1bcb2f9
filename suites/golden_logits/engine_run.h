// SPDX-License-Identifier: Apache-2.0
// Runs the engine over one case of the reference and measures what comes out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/dump_backend.h"
#include "engine/backend/fault_backend.h"
#include "engine/runtime/runtime.h"
#include "golden/figures.h"
#include "suites/golden_logits/op_counter.h"

namespace ember::golden {

// How the tokens of a case are fed.
enum class Mode {
  kWhole,    // one prefill pass
  kChunked,  // prefill passes of kChunk tokens: no tile size divides it
  kDecode,   // all but the last kDecodeSteps by prefill, those one at a time
};
inline constexpr int64_t kChunk = 7;
inline constexpr int64_t kDecodeSteps = 48;
const char* name(Mode mode);
const std::vector<Mode>& all_modes();

struct EngineOptions {
  std::vector<DeviceId> devices = {DeviceId{}};
  std::string dtype = "auto";
  bool emulate = false;          // stages on the emulated device instead, in `dtype`
  int64_t context = 0;           // capacity of every session
  bool tapped = true;            // false: the runtime as users get it, without any decorator
  const Fault* fault = nullptr;  // planted in every stage
};

// A runtime with taps. Not for use from several threads.
class Engine {
 public:
  Engine(std::shared_ptr<const IWeightSource> source, const EngineOptions& options);
  Engine(const Engine&) = delete;  // its taps point back at it
  Engine& operator=(const Engine&) = delete;

  const ModelConfig& config() const { return runtime_->config(); }
  DType compute() const { return compute_; }
  std::string compute_dtype() const { return dtype_name(compute_); }  // "fp32": picks the band
  int64_t stage_begin(int64_t stage) const;  // first layer; L beyond the last stage
  const OpCounts& ops() const { return *ops_; }

  // Feeds the ids in the given mode; every position's logits go to `row`, taps to `tap`.
  using RowSink = std::function<void(int64_t pos, const float* logits)>;
  void run(const std::vector<int32_t>& ids, Mode mode, const RowSink& row,
           const TapBackend::Sink& tap = nullptr, const TapBackend::Wanted& wanted = nullptr);
  // Feeds the prompt, then `path` one token at a time; logits of each step before its token.
  void teach(const std::vector<int32_t>& prompt, const std::vector<int32_t>& path,
             const std::function<void(int64_t step, const float* logits)>& row);

 private:
  std::unique_ptr<IBackend> decorate(std::unique_ptr<IBackend> backend,
                                     const EngineOptions& options);

  std::unique_ptr<IRuntime> runtime_;
  std::shared_ptr<OpCounts> ops_ = std::make_shared<OpCounts>();
  TapBackend::Sink sink_;  // of the run under way
  TapBackend::Wanted wanted_;
  DType compute_ = DType::kF32;
  int64_t context_;
};

// Everything measured of one case in one mode.
struct CaseRun {
  Figures figures;
  std::vector<int64_t> wide_flips;     // positions; filled with the case's flip margin
  int64_t first_non_finite = -1;       // position of the first logits that are not finite
  int64_t missing_rows = 0;            // rows of the reference that the run never gave
  std::map<int64_t, uint64_t> hashes;  // of every position's logits, bit by bit
};
CaseRun run_case(Engine& engine, const Reference& ref, Mode mode, double flip_margin,
                 bool with_residual);

// The greedy path: Ember's choice at each step of the truth's path.
struct GreedyRun {
  int64_t steps = 0, equal = 0;
  int64_t first_difference = -1;  // step, or -1
  double margin = 0;              // of the truth at that step
  int64_t wide_differences = 0;   // steps where it differs although the margin is wide
  double widest = 0;              // largest margin among the differing steps
};
GreedyRun run_greedy(Engine& engine, const Reference& ref, double flip_margin);

uint64_t hash_bytes(const void* data, size_t bytes);  // FNV-1a, 64 bits

}  // namespace ember::golden
