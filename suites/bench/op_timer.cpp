// SPDX-License-Identifier: Apache-2.0
#include "suites/bench/op_timer.h"

#include <algorithm>
#include <deque>

#include "engine/backend/forwarding_backend.h"
#include "engine/core/clock.h"
#include "harness/measure/spin_gate.h"
#include "kernels/base/error.h"
#include "reports/stats.h"

namespace ember {
namespace {

constexpr int kEmptyPairs = 64;

bool holds(const Linear& w, const TensorView& block) {
  return std::any_of(w.blocks, w.blocks + w.count,
                     [&](const TensorView& b) { return b.data == block.data; });
}

}  // namespace

// One stage's readings.
class OpTimer::Clock {
 public:
  explicit Clock(DeviceId device) : device_(device), cuda_(device.kind == DeviceKind::kCuda) {}

  enum class Mode { kOff, kWarm, kTimed };

  // Whether composite ops are made of primitives.
  bool on() const { return mode_ != Mode::kOff; }
  void set(Mode mode, const IBackend& backend) {
    mode_ = mode;
    if (mode == Mode::kTimed && cuda_ && !gate_) {
      gate_ = std::make_unique<SpinGate>(device_);
      measure_empty(backend);
    }
  }

  // Everything inside is in the queue before any of it runs. Nests.
  template <class F>
  void gated(const IBackend& backend, const F& work) {
    const bool outermost = mode_ == Mode::kTimed && cuda_ && !closed_;
    if (!outermost) {
      work();
    } else {
      closed_ = true;
      gate_->close(backend.queue());
      work();
      closed_ = false;
      gate_->open();
      events().record(backend.queue());  // passed the gate
      last_event().synchronize();
      --used_;
      timed_out_ = timed_out_ || gate_->timed_out();
    }
  }

  template <class F>
  void op(const IBackend& backend, std::string name, int64_t layer, const Cost& cost,
          const F& work) {
    if (mode_ == Mode::kWarm) {
      work();
      return;
    }
    Reading r{std::move(name), layer, cost, 0, 0};
    if (cuda_) {
      gated(backend, [&] {
        r.event = used_;
        events().record(backend.queue());
        work();
        events().record(backend.queue());
      });
    } else {
      const double start = now_seconds();
      work();
      r.seconds = now_seconds() - start;
    }
    readings_.push_back(std::move(r));
  }

  // The last op did nothing.
  void forget() {
    if (mode_ == Mode::kTimed) {
      readings_.pop_back();
      used_ -= cuda_ ? 2 : 0;
    }
  }

  void take(OpTimes* out, std::vector<std::string>* order) {
    if (timed_out_) {
      timed_out_ = false;
      fail(ErrorKind::kInconclusive,
           "a gate gave up: the launches of a layer took over two "
           "seconds, and are in the times");
    }
    for (const Reading& r : readings_) {
      OpTime& t = (*out)[{r.name, r.layer}];
      t.seconds += cuda_ ? std::max(0.0, elapsed(r.event) - empty_) : r.seconds;
      t.cost.bytes_read += r.cost.bytes_read;
      t.cost.bytes_written += r.cost.bytes_written;
      t.cost.flops += r.cost.flops;
      if (std::find(order->begin(), order->end(), r.name) == order->end()) {
        order->push_back(r.name);
      }
    }
    readings_.clear();
    used_ = 0;
  }

 private:
  struct Reading {
    std::string name;
    int64_t layer;
    Cost cost;
    double seconds;
    size_t event;  // the first of two
  };

  Event& events() {
    if (used_ == events_.size()) {
      events_.emplace_back(device_, true);
    }
    return events_[used_++];
  }
  Event& last_event() { return events_[used_ - 1]; }
  double elapsed(size_t event) { return events_[event + 1].elapsed_ms(events_[event]) * 1e-3; }

  // What lies between two events with nothing in between.
  void measure_empty(const IBackend& backend) {
    std::vector<double> all;
    gated(backend, [&] {
      for (int i = 0; i < 2 * kEmptyPairs; ++i) {
        events().record(backend.queue());
      }
    });
    for (size_t i = 0; i < kEmptyPairs; ++i) {
      all.push_back(elapsed(2 * i));
    }
    empty_ = report::median(all);
    used_ = 0;
  }

  DeviceId device_;
  bool cuda_, closed_ = false, timed_out_ = false;
  Mode mode_ = Mode::kOff;
  std::unique_ptr<SpinGate> gate_;
  double empty_ = 0;
  std::vector<Reading> readings_;
  std::deque<Event> events_;
  size_t used_ = 0;
};

class OpTimer::Backend : public ForwardingBackend {
 public:
  Backend(std::unique_ptr<IBackend> inner, std::shared_ptr<Clock> clock)
      : ForwardingBackend(std::move(inner)), clock_(std::move(clock)) {}

  void embed(const k::EmbedParams& p) override {
    timed("embed", k::cost(p), [&] { inner().embed(p); });
  }
  void rmsnorm(const k::RmsNormParams& p) override {
    timed(in_layer() ? "rmsnorm" : "rmsnorm.final", k::cost(p), [&] { inner().rmsnorm(p); });
  }
  void linear(const k::LinearParams& p) override {
    timed("linear." + matrix(p.w), k::cost(p), [&] { inner().linear(p); });
  }
  void qk_norm_rope(const k::QkNormRopeParams& p) override {
    timed("qk_norm_rope", k::cost(p), [&] { inner().qk_norm_rope(p); });
  }
  void attention(const k::AttentionParams& p) override {
    timed("attention", k::cost(p), [&] { inner().attention(p); });
  }
  void swiglu(const k::SwigluParams& p) override {
    timed("swiglu", k::cost(p), [&] { inner().swiglu(p); });
  }
  void sample(const k::SampleParams& p) override {
    timed("sample", k::cost(p), [&] { inner().sample(p); });
  }
  void advance(const k::AdvanceParams& p) override {
    timed("advance", k::cost(p), [&] { inner().advance(p); });
  }

  bool norm_linear(const k::NormLinearParams& p) override {
    return timed_if("norm_linear." + matrix(p.w), k::cost(p),
                    [&] { return inner().norm_linear(p); });
  }
  bool attention_step(const k::AttentionStepParams& p, const ModelShape& shape) override {
    return timed_if("attention_step", k::cost(p), [&] { return inner().attention_step(p, shape); });
  }
  bool decode_layers(const k::DecodeLayersParams& p, const ModelShape& shape) override {
    return timed_if("decode_layers", k::cost(p), [&] { return inner().decode_layers(p, shape); });
  }
  k::Prefetch ahead_of(const Linear& w, int64_t bytes) const override {
    return inner().ahead_of(w, bytes);
  }

  void run_layer(const StageArgs& a, int64_t layer) override {
    if (!clock_->on()) {
      inner().run_layer(a, layer);
      return;
    }
    weights_ = &a.weights;
    layer_ = layer;
    clock_->gated(*this, [&] { IBackend::run_layer(a, layer); });
    layer_ = -1;
  }
  void attend(const StageArgs& a, int64_t layer) override {
    clock_->on() ? IBackend::attend(a, layer) : inner().attend(a, layer);
  }
  void run_stage(const StageArgs& a) override {
    clock_->on() ? IBackend::run_stage(a) : inner().run_stage(a);
  }
  void run_head(const StageArgs& a, int64_t first_row, int64_t rows) override {
    if (!clock_->on()) {
      inner().run_head(a, first_row, rows);
      return;
    }
    clock_->gated(*this, [&] { IBackend::run_head(a, first_row, rows); });
  }
  void run_token(const StageArgs& a, const TokenArgs& t) override {
    clock_->on() ? IBackend::run_token(a, t) : inner().run_token(a, t);
  }

 private:
  bool in_layer() const { return layer_ >= 0; }

  // A fused op, which the backend may leave to primitives.
  template <class F>
  bool timed_if(const std::string& name, const Cost& cost, const F& work) {
    bool done = false;
    timed(name, cost, [&] { done = work(); });
    if (!done) {
      clock_->forget();
    }
    return done;
  }

  template <class F>
  void timed(const std::string& name, const Cost& cost, const F& work) {
    if (!clock_->on()) {
      work();
      return;
    }
    clock_->op(*this, name, in_layer() ? weights_->first_layer + layer_ : -1, cost, work);
  }

  std::string matrix(const TensorView& w) const {
    if (!in_layer()) {
      return "head";
    }
    const LayerWeights& l = weights_->layers[layer_];
    return holds(l.qkv, w)       ? "qkv"
           : holds(l.o, w)       ? "o"
           : holds(l.gate_up, w) ? "gate_up"
           : holds(l.down, w)    ? "down"
                                 : "other";
  }

  std::shared_ptr<Clock> clock_;
  const StageWeights* weights_ = nullptr;
  int64_t layer_ = -1;  // of the stage, while it runs
};

std::unique_ptr<IBackend> OpTimer::decorate(std::unique_ptr<IBackend> inner, int64_t stage) {
  EMBER_CHECK(stage == static_cast<int64_t>(clocks_.size()), "stage ", stage, " after ",
              clocks_.size());
  clocks_.push_back(std::make_shared<Clock>(inner->device()));
  backends_.push_back(inner.get());
  return std::make_unique<Backend>(std::move(inner), clocks_.back());
}

void OpTimer::warm() {
  for (size_t i = 0; i < clocks_.size(); ++i) {
    clocks_[i]->set(Clock::Mode::kWarm, *backends_[i]);
  }
}

void OpTimer::start() {
  for (size_t i = 0; i < clocks_.size(); ++i) {
    backends_[i]->synchronize();
    clocks_[i]->set(Clock::Mode::kTimed, *backends_[i]);
  }
  take();
}

void OpTimer::stop() {
  for (size_t i = 0; i < clocks_.size(); ++i) {
    clocks_[i]->set(Clock::Mode::kOff, *backends_[i]);
  }
}

OpTimes OpTimer::take() {
  OpTimes all;
  for (size_t i = 0; i < clocks_.size(); ++i) {
    backends_[i]->synchronize();
    clocks_[i]->take(&all, &order_);
  }
  return all;
}

}  // namespace ember
