// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/pipeline_decode.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/core/log.h"
#include "engine/runtime/pipeline_runtime.h"

namespace ember {
namespace {

constexpr int64_t kRing = 8;   // entries; two steps are under way at most
constexpr int64_t kAhead = 1;  // steps begun before their predecessor's token is known

// The first n of a view of rank 1 or 2.
TensorView first_of(TensorView v, int64_t n) {
  EMBER_CHECK(n <= v.shape[0], "the first ", n, " of ", v.shape.str());
  v.shape = v.shape.rank() == 1 ? Shape{n} : Shape{n, v.shape[1]};
  v.row_stride = v.shape.last();
  return v;
}

}  // namespace

std::unique_ptr<DecodeStream> PipelineRuntime::start_batch(
    const std::vector<DecodeSequence>& sequences) {
  std::vector<Session*> sessions;
  for (const DecodeSequence& s : sequences) {
    sessions.push_back(s.session);
  }
  check_batch(sessions);
  if (loop_ == nullptr) {
    make_loop();
  }
  return std::make_unique<PipelineDecode>(*this, sequences);
}

void PipelineRuntime::make_loop() {
  auto loop = std::make_unique<TokenLoop>();
  Stage &first = stages_.front(), &last = stages_.back();
  const DeviceId device = last.backend->device();
  const int64_t id_bytes = dtype_bytes(DType::kI32), words = k::kSampleSettingsWords;
  loop->memory = last.backend->allocate(batch_ * (words + 1) * id_bytes);
  auto* memory = static_cast<std::byte*>(loop->memory.get());
  loop->settings = TensorView(memory, DType::kI32, {batch_, words}, device);
  loop->id = first_of(first.work.ids, batch_);
  if (stages_.size() > 1) {
    loop->id = TensorView(memory + loop->settings.bytes(), DType::kI32, {batch_}, device);
    loop->hop = make_hop(*last.backend, *first.backend, loop->id.bytes(), hop_path_);
  }
  const int64_t ring_bytes = batch_ * kRing * id_bytes;
  loop->ring_memory = device.kind == DeviceKind::kCuda
                          ? Buffer::pinned(ring_bytes, Buffer::Fill::kNone, "ring of tokens")
                          : Buffer(ring_bytes);
  loop->ring = loop->ring_memory.view(DType::kI32, {batch_, kRing});
  loop->ahead = true;
  for (const Stage& s : stages_) {
    loop->ahead = loop->ahead && s.backend->device().kind == DeviceKind::kCuda;
  }
  loop_ = std::move(loop);
}

std::optional<int32_t> PipelineRuntime::prefill_choose(Session& session, const int32_t* ids,
                                                       int64_t n, const DecodeParams& params,
                                                       const PrefillOptions& options) {
  EMBER_CHECK(!options.all_logits, "logits that stay on the device");
  std::optional<int32_t> id;
  feed(session, ids, n, options, false, [&](const StageArgs& end) { id = choose(end, params); });
  return id;
}

int32_t PipelineRuntime::choose(const StageArgs& a, const DecodeParams& params) {
  if (loop_ == nullptr) {
    make_loop();
  }
  EMBER_CHECK(loop_->owner == nullptr, "a choice amid a stream");
  IBackend& backend = *stages_.back().backend;
  backend.run_head(a, a.tokens - 1, 1);
  k::SampleParams p;
  p.id = first_of(loop_->id, 1);
  p.x = a.work.logits.rows(0, 1);
  p.settings = first_of(loop_->settings, 1);
  p.greedy = params.greedy;
  p.pos = a.pos + a.tokens - 1;
  backend.upload(p.settings, &params.settings);
  backend.sample(p);
  int32_t id = 0;
  backend.download(p.id, &id);
  if (id < 0) {
    fail_choice("", id, p.pos + 1);
  }
  return id;
}

void PipelineRuntime::release_loop() {
  if (loop_ != nullptr && loop_->owner != nullptr) {
    loop_->owner->collect();
    loop_->owner = nullptr;
  }
}

PipelineDecode::PipelineDecode(PipelineRuntime& runtime,
                               const std::vector<DecodeSequence>& sequences)
    : runtime_(runtime) {
  for (const DecodeSequence& s : sequences) {
    rows_.push_back({s.session, s.params, s.session->length(), s.first_id});
  }
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

// The ids and settings of this stream to the device, where another stream's were, or none.
void PipelineDecode::take_over() {
  EMBER_CHECK(begun_ == collected_, "a stream with steps under way lost its place");
  runtime_.release_loop();
  TokenLoop& loop = *runtime_.loop_;
  std::vector<int32_t> ids;
  std::vector<k::SampleSettings> settings;
  for (size_t i = 0; i < rows_.size(); ++i) {
    ids.push_back(ready_.empty() ? rows_[i].last_id : ready_.back()[i]);
    settings.push_back(rows_[i].params.settings);
  }
  PipelineRuntime::Stage& first = runtime_.stages_.front();
  first.backend->upload(first_of(first.work.ids, size()), ids.data());
  runtime_.stages_.back().backend->upload(first_of(loop.settings, size()), settings.data());
  loop.owner = this;
}

void PipelineDecode::begin_step() {
  const ProfileRange range(RangeKind::kDecodeStep, rows_[0].base + begun_);
  TokenLoop& loop = *runtime_.loop_;
  std::vector<PipelineRuntime::Stage>& stages = runtime_.stages_;
  const int64_t n = size();
  if (loop.owner != this) {
    take_over();
  } else if (loop.hop != nullptr) {
    loop.hop->send(first_of(loop.id, n));
    stages.front().backend->receive(first_of(stages.front().work.ids, n), *loop.hop);
  }
  TokenArgs token{0, first_of(loop.settings, n), first_of(loop.id, n), first_of(loop.ring, n)};
  for (size_t i = 0; i < rows_.size(); ++i) {
    token.greedy |= (rows_[i].params.greedy ? 1u : 0u) << i;
  }
  std::vector<SequenceArgs> batch(rows_.size());
  for (size_t i = 0; i < stages.size(); ++i) {
    IBackend& backend = *stages[i].backend;
    if (i > 0) {
      const ProfileRange hop(RangeKind::kHop, stages[i].work.x.rows(0, n).bytes());
      runtime_.hops_[i - 1]->send(stages[i - 1].work.x.rows(0, n));
      backend.receive(stages[i].work.x.rows(0, n), *runtime_.hops_[i - 1]);
    }
    for (size_t r = 0; r < rows_.size(); ++r) {
      batch[r] = {&rows_[r].session->caches_[i], rows_[r].base + begun_};
    }
    StageArgs args = runtime_.args(i, *rows_[0].session, {nullptr, batch[0].pos, n, true});
    args.batch = n > 1 ? &batch : nullptr;
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
  const auto* ring = runtime_.loop_->ring.as<int32_t>();
  std::vector<int32_t> ids;
  for (size_t i = 0; i < rows_.size(); ++i) {
    ids.push_back(ring[static_cast<int64_t>(i) * kRing + (rows_[i].base + collected_) % kRing]);
  }
  ready_.push_back(std::move(ids));
  ++collected_;
}

void PipelineDecode::collect() {
  while (collected_ < begun_) {
    collect_one();
  }
}

bool PipelineDecode::may_begin(int64_t step) const {
  if (step == returned_) {
    return true;
  }
  if (!runtime_.loop_->ahead || step > returned_ + kAhead) {
    return false;
  }
  return std::all_of(rows_.begin(), rows_.end(), [&](const Row& r) {
    return r.params.ahead && r.base + step < r.session->capacity() &&
           (r.params.max_tokens < 0 || step < r.params.max_tokens);
  });
}

void PipelineDecode::check_rows() const {
  EMBER_CHECK(!rows_.empty(), "a step of a stream that all sequences have left");
  EMBER_CHECK(!ended_, "a step of a stream that has ended");
  for (const Row& r : rows_) {
    EMBER_CHECK(r.session->length() == r.base + returned_,
                "the session of a decode stream was changed: it holds ", r.session->length(),
                " tokens, the stream left ", r.base + returned_);
  }
  if (begun_ == returned_) {
    std::vector<Session*> sessions;
    std::vector<int32_t> ids;
    for (const Row& r : rows_) {
      sessions.push_back(r.session);
      ids.push_back(r.last_id);
    }
    runtime_.check_batch_ids(sessions, ids);
  }
}

void PipelineDecode::next(int32_t* ids) {
  check_rows();
  while (may_begin(begun_)) {
    begin_step();
  }
  if (ready_.empty()) {
    collect_one();
  }
  const std::vector<int32_t>& chosen = ready_.front();
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (chosen[i] < 0) {
      fail_choice(size() == 1 ? "" : concat("sequence ", i, " of the batch: "), chosen[i],
                  rows_[i].base + returned_ + 1);
    }
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    rows_[i].session->ids_.push_back(rows_[i].last_id);
    rows_[i].last_id = ids[i] = chosen[i];
  }
  ready_.pop_front();
  ++returned_;
}

// Steps under way took the sequence along; their tokens of the others count. The next step is one
// of fewer rows, so the devices are told everything anew.
void PipelineDecode::leave(int64_t i) {
  EMBER_CHECK(i >= 0 && i < size(), "sequence ", i, " of a stream of ", size());
  collect();
  rows_.erase(rows_.begin() + i);
  for (std::vector<int32_t>& ids : ready_) {
    ids.erase(ids.begin() + i);
  }
  if (runtime_.loop_->owner == this) {
    runtime_.loop_->owner = nullptr;
  }
}

void PipelineDecode::run_unread(int64_t steps, const std::function<void()>& given) {
  check_rows();
  for (const Row& r : rows_) {
    if (r.base + begun_ + steps > r.session->capacity()) {
      fail(ErrorKind::kUsage, steps, " steps after ", r.base + begun_, " tokens do not fit in ",
           r.session->capacity());
    }
  }
  ended_ = true;
  for (int64_t i = 0; i < steps; ++i) {
    begin_step();
  }
  given();
  runtime_.stages_.back().backend->synchronize();
  if (runtime_.loop_->owner == this) {
    runtime_.loop_->owner = nullptr;
  }
}

}  // namespace ember
