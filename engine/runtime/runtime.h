// SPDX-License-Identifier: Apache-2.0
// What a user of the engine holds: a model spread over one or more devices, and its sessions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/weight_source.h"
#include "engine/runtime/decode_stream.h"
#include "engine/runtime/device_map.h"
#include "engine/runtime/memory_plan.h"
#include "engine/runtime/session.h"

namespace ember {

struct RuntimeOptions {
  std::vector<DeviceId> devices = {DeviceId{}};  // one pipeline stage each
  std::vector<int64_t> split;                    // layers a stage; empty: balanced by bytes
  std::string dtype = "auto";
  int64_t context = 2048;        // capacity that the memory plan must have room for
  int64_t chunk = 512;           // tokens of one prefill pass
  int64_t logit_rows = 1;        // rows of logits computed at once when all are wanted
  int64_t batch = 1;             // sessions of one decode step, 1 to kMaxBatch; the plan has room
                                 // for as many of that context
  int64_t mem_limit = -1;        // bytes a device may use; -1: what is free
  HopPath hop = HopPath::kAuto;  // how activations get from one CUDA device to another
  // false: every kernel is launched by itself. Slower; a profiler then sees layers and ops in
  // decode, which a CUDA graph hides.
  bool graph = true;
  std::function<void(int64_t done_bytes, int64_t total_bytes)> on_load;
  // Wraps each stage's backend (taps, faults); called once a stage, in order.
  std::function<std::unique_ptr<IBackend>(std::unique_ptr<IBackend>, int64_t stage)> decorate;
};

// Tokens of a prefill pass where nobody asked for a number. A GPU computes long passes at a higher
// rate; stages overlap only where a prompt makes many passes; and on the CPU a pass is the time
// that an interrupt waits.
int64_t default_chunk(const std::vector<DeviceId>& devices);

struct PrefillOptions {
  int64_t chunk = 0;        // 0: the runtime's; never more than the runtime's
  bool all_logits = false;  // compute every position's logits and hand them to on_logits
  // logits: (t, V) F32 on the host, rows of positions first_pos…; valid during the call
  std::function<void(int64_t first_pos, const TensorView& logits)> on_logits;
  // After each pass has been given to the devices, which may be a few passes behind.
  std::function<void(int64_t done, int64_t total)> on_progress;
  // Asked before each pass; true ends the call: what was fed stays, and no logits come back.
  std::function<bool()> stop;
};

// How the weights were placed.
struct LoadStats {
  int64_t bytes = 0;         // as the source stores them
  int64_t copied_bytes = 0;  // of them to devices; the CPU uses weights where they lie
  double seconds = 0;        // from the first allocation for weights until the last copy is done

  // Of what was copied, in 1e9 bytes a second; 0 where nothing was.
  double gb_s() const {
    return seconds > 0 ? static_cast<double>(copied_bytes) / seconds / 1e9 : 0;
  }
};

// Sessions may be interleaved freely, from one thread at a time.
class IRuntime {
 public:
  virtual ~IRuntime() = default;
  virtual const ModelConfig& config() const = 0;
  virtual const DeviceMap& device_map() const = 0;
  virtual const MemoryPlan& memory_plan() const = 0;
  // In which activations and cache are kept, on the first stage.
  virtual DType activation_dtype() const = 0;
  virtual LoadStats load_stats() const { return {}; }

  // Throws Error{kOutOfMemory} when the cache cannot be allocated.
  virtual std::unique_ptr<Session> new_session(int64_t capacity) = 0;

  // Feeds n >= 1 ids; returns the logits of the last, (1, V) F32 on the host, valid until the next
  // call on this runtime. Throws Error{kUsage} naming the position for an id outside the
  // vocabulary, and when the session has no room; the session is then as it was.
  virtual TensorView prefill(Session& session, const int32_t* ids, int64_t n,
                             const PrefillOptions& options = {}) = 0;
  virtual TensorView decode(Session& session, int32_t id) = 0;
  // As prefill(), but the next token is chosen where the logits are, and they stay there. The draw
  // has number counter + (position of the last id); max_tokens and ahead are left unread. Nothing
  // when options.stop ended it. Throws Error{kWrong} when the logits hold a NaN or an infinity. The
  // default body has prefill()'s logits and chooses on the host, to the same id.
  virtual std::optional<int32_t> prefill_choose(Session& session, const int32_t* ids, int64_t n,
                                                const DecodeParams& params,
                                                const PrefillOptions& options = {});
  // One token of each of 1 to RuntimeOptions::batch different sessions in one step: their logits
  // (B, V), row i of session i. Otherwise as decode(); a message names the session by its place.
  // Throws Error{kUnsupported} where a runtime cannot.
  virtual TensorView decode(const std::vector<Session*>& /*sessions*/,
                            const std::vector<int32_t>& /*ids*/) {
    fail(ErrorKind::kUnsupported, "this runtime decodes one session at a time");
  }

  // Decoding without logits, of 1 to RuntimeOptions::batch different sessions of this runtime at
  // once. Null where a runtime cannot, and decode() has to do.
  virtual std::unique_ptr<DecodeStream> start_batch(
      const std::vector<DecodeSequence>& /*sequences*/) {
    return nullptr;
  }
  std::unique_ptr<DecodeStream> start_decode(Session& session, int32_t first_id,
                                             const DecodeParams& params) {
    return start_batch({{&session, first_id, params}});
  }
};

std::unique_ptr<IRuntime> make_runtime(std::shared_ptr<const IWeightSource> source,
                                       const RuntimeOptions& options);

// The plan that make_runtime would check, without loading anything.
MemoryPlan plan_runtime(const IWeightSource& source, const RuntimeOptions& options);

}  // namespace ember
