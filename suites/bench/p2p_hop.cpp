// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <vector>

#include "engine/backend/registry.h"
#include "kernels/base/error.h"
#include "suites/bench/p2p.h"

namespace ember {
namespace {

// Two stages without layers: what a hop needs of them.
class HopBench {
 public:
  HopBench(const P2pHop& hop, int64_t tokens, int64_t hidden)
      : shape_{tokens, hidden},
        from_(make_backend(hop.from, "auto")),
        to_(make_backend(hop.to, "auto")),
        there_(make_hop(*from_, *to_, bytes(), hop.path)),
        back_(make_hop(*to_, *from_, bytes(), hop.path)),
        x_memory_(from_->allocate(bytes())),
        y_memory_(to_->allocate(bytes())),
        x_(x_memory_.get(), DType::kF32, shape_, hop.from),
        y_(y_memory_.get(), DType::kF32, shape_, hop.to) {
    if (hop.from.kind == DeviceKind::kCuda) {
      begin_ = std::make_unique<Event>(hop.from);
      end_ = std::make_unique<Event>(hop.from);
    }
  }
  ~HopBench() {
    try {
      from_->synchronize();
      to_->synchronize();
    } catch (const Error&) {
      // The device has failed, and the work that failed has reported it.
    }
  }

  // Empty when a message arrives as it was sent, and as it was sent when it comes back.
  std::string verify() {
    std::vector<float> sent(static_cast<size_t>(shape_.numel())), got(sent.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      sent[i] = static_cast<float>(i % 16777213) - 8000000.0f;  // every one exact
    }
    const std::vector<float> other(sent.size(), -1.0f);
    for (int turn = 0; turn < 4; ++turn) {  // through every slot of the hop's ring
      sent[0] = static_cast<float>(turn);
      from_->upload(x_, sent.data());
      to_->upload(y_, other.data());
      move(*there_, y_, x_);
      to_->download(y_, got.data());
      if (got != sent) {
        return "a message of " + shape_.str() + " arrived changed";
      }
      from_->upload(x_, other.data());
      move(*back_, x_, y_);
      from_->download(x_, got.data());
      if (got != sent) {
        return "a message of " + shape_.str() + " came back changed";
      }
    }
    return "";
  }

  // A round trip begins and ends on the sender's queue, so that one device's events time it: the
  // events of two devices cannot be compared.
  Measurement round_trips(const MeasureOptions& options) {
    Meter meter(from_->device());
    Work w;
    w.graph = false;
    w.bytes = bytes();
    w.run = [this](int64_t, Stream) {
      move(*there_, y_, x_);
      move(*back_, x_, y_);
    };
    if (begin_) {
      w.fork = [this](Stream s) {
        begin_->record(s);
        begin_->wait(from_->queue());
      };
      w.join = [this](Stream s) {
        end_->record(from_->queue());
        end_->wait(s);
      };
    }
    MeasureOptions o = options;
    o.cache = CacheState::kHot;
    o.max_batch = 16;  // a staged hop enqueues much, and a full queue would wait for the gate
    return meter.measure(w, o);
  }

 private:
  static void move(Hop& hop, const TensorView& to, const TensorView& from) {
    hop.send(from);
    hop.receive(to);
  }
  int64_t bytes() const { return shape_.numel() * dtype_bytes(DType::kF32); }

  Shape shape_;
  std::unique_ptr<IBackend> from_, to_;
  std::unique_ptr<Hop> there_, back_;
  Memory x_memory_, y_memory_;
  TensorView x_, y_;
  std::unique_ptr<Event> begin_, end_;
};

}  // namespace

Measurement measure_hop(const P2pHop& hop, int64_t tokens, int64_t hidden,
                        const MeasureOptions& options, std::string* wrong) {
  HopBench bench(hop, tokens, hidden);
  *wrong = bench.verify();
  if (!wrong->empty()) {
    return {};
  }
  Measurement m = bench.round_trips(options);
  for (double& s : m.seconds) {
    s /= 2;
  }
  summarise(options, &m);
  return m;
}

}  // namespace ember
