// SPDX-License-Identifier: Apache-2.0
// How PipelineRuntime decodes without the host: the id goes from the last stage to the first, and
// each stage's step follows the one before in its queue.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/backend/hop.h"
#include "engine/backend/stage.h"
#include "engine/runtime/decode_stream.h"
#include "kernels/base/buffer.h"
#include "kernels/base/stream.h"

namespace ember {

class PipelineDecode;
class PipelineRuntime;
class Session;

// What the streams of one runtime share. One stream at a time, the owner, has its next ids and its
// settings on the device.
struct TokenLoop {
  TensorView settings, id, ring;  // as in TokenArgs, with room for as many sequences as may be
  Memory memory;  // of settings, and of the ids where the last stage is not the first
  Buffer ring_memory;
  std::unique_ptr<Hop> hop;  // of the ids, from the last stage to the first; null for one stage
  bool ahead = false;        // all stages are on CUDA devices
  PipelineDecode* owner = nullptr;
};

class PipelineDecode : public DecodeStream {
 public:
  PipelineDecode(PipelineRuntime& runtime, const std::vector<DecodeSequence>& sequences);
  ~PipelineDecode() override;

  int64_t size() const override { return static_cast<int64_t>(rows_.size()); }
  using DecodeStream::next;
  void next(int32_t* ids) override;
  void leave(int64_t i) override;
  void run_unread(int64_t steps, const std::function<void()>& given) override;

  // Waits for the steps under way and keeps their tokens: something else is about to use the
  // devices' ids.
  void collect();

 private:
  struct Row {
    Session* session;
    DecodeParams params;
    int64_t base;     // position of the token that step 0 feeds
    int32_t last_id;  // the token that step `returned_` feeds
  };

  bool may_begin(int64_t step) const;
  void begin_step();
  void take_over();
  void collect_one();
  void check_rows() const;

  PipelineRuntime& runtime_;
  std::vector<Row> rows_;
  int64_t begun_ = 0;                       // steps given to the devices
  int64_t collected_ = 0;                   // of these, whose tokens are known here
  int64_t returned_ = 0;                    // of these, whose tokens next() has returned
  std::deque<std::vector<int32_t>> ready_;  // collected and not returned, a step each
  bool ended_ = false;                      // by run_unread
  std::deque<Event> fences_;                // the end of step i is fences_[i % 2]; none on the CPU
};

}  // namespace ember
