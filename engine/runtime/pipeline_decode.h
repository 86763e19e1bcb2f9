// SPDX-License-Identifier: Apache-2.0
// How PipelineRuntime decodes without the host: the id goes from the last stage to the first, and
// each stage's step follows the one before in its queue.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "engine/backend/hop.h"
#include "engine/backend/stage.h"
#include "engine/runtime/decode_stream.h"
#include "kernels/base/buffer.h"
#include "kernels/base/stream.h"

namespace ember {

class PipelineDecode;
class PipelineRuntime;
class Session;

// What the streams of one runtime share. One stream at a time, the owner, has its next id and its
// settings on the device.
struct TokenLoop {
  TensorView settings, id, ring;  // as in TokenArgs
  Memory memory;  // of settings, and of the id where the last stage is not the first
  Buffer ring_memory;
  std::unique_ptr<Hop> hop;  // of the id, from the last stage to the first; null for one stage
  bool ahead = false;        // all stages are on CUDA devices
  PipelineDecode* owner = nullptr;
};

class PipelineDecode : public DecodeStream {
 public:
  PipelineDecode(PipelineRuntime& runtime, Session& session, int32_t first_id,
                 const DecodeParams& params);
  ~PipelineDecode() override;

  int32_t next() override;

  // Waits for the steps under way and keeps their tokens: something else is about to use the
  // devices' ids.
  void collect();

 private:
  bool may_begin(int64_t step) const;
  void begin_step();
  void take_over();
  void collect_one();

  PipelineRuntime& runtime_;
  Session& session_;
  DecodeParams params_;
  int64_t base_;               // position of the first token fed
  int32_t last_id_;            // the token that step `returned_` feeds
  int64_t begun_ = 0;          // steps given to the devices
  int64_t collected_ = 0;      // of these, whose tokens are known here
  int64_t returned_ = 0;       // of these, whose tokens next() has returned
  std::deque<int32_t> ready_;  // collected and not returned
  std::deque<Event> fences_;   // the end of step i is fences_[i % 2]; empty on the CPU
};

}  // namespace ember
