// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/pipeline_decode.h"

#include "engine/runtime/pipeline_runtime.h"

namespace ember {
namespace {

constexpr int64_t kRing = 8;     // entries; two steps are under way at most
constexpr int64_t kAhead = 1;    // steps begun before their predecessor's token is known
constexpr int64_t kSlice = 256;  // bytes, for alignment

TensorView first_of(TensorView ids) {
  ids.shape = Shape{1};
  ids.row_stride = 1;
  return ids;
}

[[noreturn]] void fail_choice(int32_t id, int64_t position) {
  if (id == k::kNothingToSample) {
    fail(ErrorKind::kWrong, "all logits of position ", position,
         " are -inf: no token can be chosen");
  }
  fail(ErrorKind::kWrong, "the logit of token ", -1 - id, " at position ", position,
       " is NaN or infinite: the forward pass overflowed or the weights hold NaN or infinity");
}

}  // namespace

std::unique_ptr<DecodeStream> PipelineRuntime::start_decode(Session& session, int32_t first_id,
                                                            const DecodeParams& params) {
  if (loop_ == nullptr) {
    make_loop();
  }
  return std::make_unique<PipelineDecode>(*this, session, first_id, params);
}

void PipelineRuntime::make_loop() {
  auto loop = std::make_unique<TokenLoop>();
  Stage &first = stages_.front(), &last = stages_.back();
  const DeviceId device = last.backend->device();
  loop->memory = last.backend->allocate(2 * kSlice);
  auto* memory = static_cast<std::byte*>(loop->memory.get());
  loop->settings = TensorView(memory, DType::kI32, {k::kSampleSettingsWords}, device);
  loop->id = first_of(first.work.ids);
  if (stages_.size() > 1) {
    loop->id = TensorView(memory + kSlice, DType::kI32, {1}, device);
    loop->hop = make_hop(*last.backend, *first.backend, loop->id.bytes(), hop_path_);
  }
  const int64_t ring_bytes = kRing * dtype_bytes(DType::kI32);
  loop->ring_memory = device.kind == DeviceKind::kCuda
                          ? Buffer::pinned(ring_bytes, Buffer::Fill::kNone, "ring of tokens")
                          : Buffer(ring_bytes);
  loop->ring = loop->ring_memory.view(DType::kI32, {kRing});
  loop->ahead = true;
  for (const Stage& s : stages_) {
    loop->ahead = loop->ahead && s.backend->device().kind == DeviceKind::kCuda;
  }
  loop_ = std::move(loop);
}

void PipelineRuntime::release_loop() {
  if (loop_ != nullptr && loop_->owner != nullptr) {
    loop_->owner->collect();
    loop_->owner = nullptr;
  }
}

PipelineDecode::PipelineDecode(PipelineRuntime& runtime, Session& session, int32_t first_id,
                               const DecodeParams& params)
    : runtime_(runtime),
      session_(session),
      params_(params),
      base_(session.length()),
      last_id_(first_id) {
  const DeviceId device = runtime_.stages_.back().backend->device();
  for (int i = 0; device.kind == DeviceKind::kCuda && i < 2; ++i) {
    fences_.emplace_back(device);
  }
}

PipelineDecode::~PipelineDecode() {
  if (runtime_.loop_->owner == this) {
    runtime_.loop_->owner = nullptr;
  }
}

// The id and settings of this stream to the device, where another stream's were, or none.
void PipelineDecode::take_over() {
  EMBER_CHECK(begun_ == collected_, "a stream with steps under way lost its place");
  runtime_.release_loop();
  TokenLoop& loop = *runtime_.loop_;
  const int32_t id = ready_.empty() ? last_id_ : ready_.back();
  PipelineRuntime::Stage& first = runtime_.stages_.front();
  first.backend->upload(first_of(first.work.ids), &id);
  runtime_.stages_.back().backend->upload(loop.settings, &params_.settings);
  loop.owner = this;
}

void PipelineDecode::begin_step() {
  const ProfileRange range(RangeKind::kDecodeStep, base_ + begun_);
  TokenLoop& loop = *runtime_.loop_;
  std::vector<PipelineRuntime::Stage>& stages = runtime_.stages_;
  if (loop.owner != this) {
    take_over();
  } else if (loop.hop != nullptr) {
    stages.front().backend->receive(first_of(stages.front().work.ids), loop.id, *loop.hop);
  }
  const TokenArgs token{params_.greedy, loop.settings, loop.id, loop.ring};
  for (size_t i = 0; i < stages.size(); ++i) {
    IBackend& backend = *stages[i].backend;
    if (i > 0) {
      const ProfileRange hop(RangeKind::kHop, stages[i].work.x.rows(0, 1).bytes());
      backend.receive(stages[i].work.x.rows(0, 1), stages[i - 1].work.x.rows(0, 1),
                      *runtime_.hops_[i - 1]);
    }
    StageArgs args = runtime_.args(stages[i], session_, i, 1);
    args.pos = base_ + begun_;
    backend.run_token(args, token);
  }
  if (!fences_.empty()) {
    fences_[begun_ % 2].record(stages.back().backend->queue());
  }
  ++begun_;
}

void PipelineDecode::collect_one() {
  if (!fences_.empty()) {
    fences_[collected_ % 2].synchronize();
  }
  ready_.push_back(runtime_.loop_->ring.as<int32_t>()[(base_ + collected_) % kRing]);
  ++collected_;
}

void PipelineDecode::collect() {
  while (collected_ < begun_) {
    collect_one();
  }
}

bool PipelineDecode::may_begin(int64_t step) const {
  return step == returned_ || (params_.ahead && runtime_.loop_->ahead &&
                               step <= returned_ + kAhead && base_ + step < session_.capacity() &&
                               (params_.max_tokens < 0 || step < params_.max_tokens));
}

int32_t PipelineDecode::next() {
  EMBER_CHECK(session_.length() == base_ + returned_,
              "the session of a decode stream was changed: it holds ", session_.length(),
              " tokens, the stream left ", base_ + returned_);
  if (begun_ == returned_) {
    runtime_.check_ids(session_, &last_id_, 1);
  }
  while (may_begin(begun_)) {
    begin_step();
  }
  if (ready_.empty()) {
    collect_one();
  }
  const int32_t id = ready_.front();
  if (id < 0) {
    fail_choice(id, base_ + returned_ + 1);
  }
  ready_.pop_front();
  session_.ids_.push_back(last_id_);
  last_id_ = id;
  ++returned_;
  return id;
}

}  // namespace ember
