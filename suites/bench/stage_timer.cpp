// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/stage_timer.h"

#include <deque>
#include <utility>

#include "engine/backend/forwarding_backend.h"
#include "engine/core/clock.h"
#include "kernels/base/error.h"

namespace ember {

class StageTimer::Stage {
 public:
  explicit Stage(DeviceId device) : device_(device) {}

  template <class F>
  void pass(const IBackend& backend, const F& work) {
    if (!on_) {
      work();
    } else if (device_.kind == DeviceKind::kCuda) {
      event().record(backend.queue());
      work();
      event().record(backend.queue());
    } else {
      const double start = now_seconds();
      work();
      time_.busy += now_seconds() - start;
    }
  }

  void received(const Hop& hop) {
    if (on_ && hop.seconds()) {
      time_.receives.push_back(*hop.seconds());
    }
  }

  void start() {
    time_ = {};
    time_.device = device_;
    used_ = 0;
    on_ = true;
  }

  StageTime stop() {
    on_ = false;
    if (used_ > 0) {
      events_[used_ - 1].synchronize();
    }
    for (size_t i = 0; i + 1 < used_; i += 2) {
      time_.busy += events_[i + 1].elapsed_ms(events_[i]) * 1e-3;
    }
    return time_;
  }

 private:
  Event& event() {
    if (used_ == events_.size()) {
      events_.emplace_back(device_, true);
    }
    return events_[used_++];
  }

  DeviceId device_;
  bool on_ = false;
  StageTime time_;
  std::deque<Event> events_;  // begin and end of each pass in turn
  size_t used_ = 0;
};

// Composite ops go to the wrapped backend as they are.
class StageTimer::Backend : public ForwardingBackend {
 public:
  Backend(std::unique_ptr<IBackend> inner, std::shared_ptr<Stage> stage)
      : ForwardingBackend(std::move(inner)), stage_(std::move(stage)) {}

  void receive(const TensorView& to, Hop& hop) override {
    inner().receive(to, hop);
    stage_->received(hop);
  }
  void run_layer(const StageArgs& a, int64_t layer) override { inner().run_layer(a, layer); }
  void attend(const StageArgs& a, int64_t layer) override { inner().attend(a, layer); }
  void run_stage(const StageArgs& a) override {
    stage_->pass(*this, [&] { inner().run_stage(a); });
  }
  void run_head(const StageArgs& a, int64_t first_row, int64_t rows) override {
    stage_->pass(*this, [&] { inner().run_head(a, first_row, rows); });
  }
  void run_token(const StageArgs& a, const TokenArgs& t) override {
    stage_->pass(*this, [&] { inner().run_token(a, t); });
  }

 private:
  std::shared_ptr<Stage> stage_;
};

std::unique_ptr<IBackend> StageTimer::decorate(std::unique_ptr<IBackend> inner, int64_t stage) {
  EMBER_CHECK(stage == static_cast<int64_t>(stages_.size()), "stage ", stage, " after ",
              stages_.size());
  stages_.push_back(std::make_shared<Stage>(inner->device()));
  return std::make_unique<Backend>(std::move(inner), stages_.back());
}

void StageTimer::start() {
  for (const auto& s : stages_) {
    s->start();
  }
}

std::vector<StageTime> StageTimer::stop() {
  std::vector<StageTime> all;
  for (const auto& s : stages_) {
    all.push_back(s->stop());
  }
  return all;
}

}  // namespace ember
