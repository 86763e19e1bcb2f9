// SPDX-License-Identifier: Apache-2.0
// One token of each of several sessions, with their logits to the host.
#include "engine/core/log.h"
#include "engine/runtime/pipeline_runtime.h"

namespace ember {

void PipelineRuntime::check_batch(const std::vector<Session*>& sessions) const {
  const auto count = static_cast<int64_t>(sessions.size());
  if (count < 1 || count > batch_) {
    fail(ErrorKind::kUsage, "a decode step of ", count,
         " sessions: this runtime was made for up to ", batch_, "; raise the batch");
  }
  for (size_t i = 0; i < sessions.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EMBER_CHECK(sessions[i] != sessions[j], "sequences ", j, " and ", i,
                  " of a batch are one session");
    }
  }
}

void PipelineRuntime::check_batch_ids(const std::vector<Session*>& sessions,
                                      const std::vector<int32_t>& ids) const {
  EMBER_CHECK(sessions.size() == ids.size(), ids.size(), " ids for ", sessions.size(), " sessions");
  for (size_t i = 0; i < sessions.size(); ++i) {
    try {
      check_ids(*sessions[i], &ids[i], 1);
    } catch (const Error& e) {
      if (sessions.size() == 1) {
        throw;
      }
      fail(e.kind(), "sequence ", i, " of the batch: ", e.what());
    }
  }
}

TensorView PipelineRuntime::decode(const std::vector<Session*>& sessions,
                                   const std::vector<int32_t>& ids) {
  check_batch(sessions);
  check_batch_ids(sessions, ids);
  if (sessions.size() == 1) {
    return decode(*sessions[0], ids[0]);
  }
  const auto count = static_cast<int64_t>(sessions.size());
  const ProfileRange range(RangeKind::kDecodeStep, sessions[0]->length());
  release_loop();
  TensorView ids_view = stages_[0].work.ids;
  ids_view.shape = Shape{count};
  ids_view.row_stride = count;
  stages_[0].backend->upload(ids_view, ids.data());
  TensorView logits;
  for (size_t i = 0; i < stages_.size(); ++i) {
    Stage& s = stages_[i];
    const TensorView x = s.work.x.rows(0, count);
    if (i > 0) {
      const ProfileRange hop(RangeKind::kHop, x.bytes());
      hops_[i - 1]->send(stages_[i - 1].work.x.rows(0, count));
      s.backend->receive(x, *hops_[i - 1]);
    }
    std::vector<SequenceArgs> batch;
    for (const Session* session : sessions) {
      batch.push_back({&session->caches_[i], session->length()});
    }
    StageArgs a = args(i, *sessions[0], {nullptr, sessions[0]->length(), count, true});
    a.batch = &batch;
    s.backend->run_stage(a);
    if (s.map.last) {
      logits = head(a, 0, count);
    }
  }
  for (size_t i = 0; i < sessions.size(); ++i) {
    sessions[i]->ids_.push_back(ids[i]);
  }
  return logits;
}

}  // namespace ember
