// SPDX-License-Identifier: Apache-2.0
// Events order everything, so that one host thread can give all stages their work ahead of time:
//
//   sender's queue     ..stage c.. |x -> outgoing, once that is free |ready, ..stage c+1..
//   out (sender)                    wait ready, copy |arrived (peer), or D2H by pieces |full; |left
//   in (receiver, staged only)                        wait full, H2D by pieces |empty … |arrived
//   receiver's queue                                   wait arrived, slot -> x |free, ..stage c..
//
// A slot of the ring is written again only after `free`, so the sender may be two chunks ahead.
// Small messages go on the queues themselves, straight from x.
#include "engine/backend/cuda_hop.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "engine/backend/slow_link.h"
#include "kernels/base/buffer.h"
#include "kernels/base/cuda_memory.h"

namespace ember {
namespace {

constexpr int64_t kPieceBytes = int64_t{1} << 20;  // so that both directions of the bus are busy
constexpr int kPieces = 4;
// Up to here (a few rows) a copy is over before another stream would have begun it.
constexpr int64_t kSmallBytes = int64_t{64} << 10;

class CudaHop : public Hop {
 public:
  // `arrived` is recorded by streams of `arrives_on`.
  CudaHop(IBackend& sender, IBackend& receiver, int64_t bytes, DeviceId arrives_on)
      : Hop(bytes),
        sender_(sender),
        receiver_(receiver),
        link_(slow_link()),
        ready_(sender.device()),
        left_(sender.device()),
        memory_(receiver.allocate(kHopRing * bytes)),
        out_(sender.device()) {
    if (cuda_hop_bytes(bytes).sender > 0) {
      outgoing_ = sender.allocate(cuda_hop_bytes(bytes).sender);
    }
    for (int i = 0; i < kHopRing; ++i) {
      arrived_.emplace_back(arrives_on);
      free_.emplace_back(receiver.device());
    }
  }

 protected:
  // Copies to the memory of the slot, once it is free; `arrived_` of the slot is recorded then.
  virtual void carry(int slot, const std::byte* from, int64_t bytes, Stream out) = 0;

  std::byte* slot_memory(int slot) const {
    return static_cast<std::byte*>(memory_.get()) + slot * bytes();
  }
  // For destructors: copies of messages that nobody has received are over then.
  void finish() noexcept {
    for (IBackend* side : {&sender_, &receiver_}) {
      try {
        side->synchronize();
      } catch (const Error&) {
        // The device has failed, and the work that failed has reported it.
      }
    }
  }

  IBackend& sender_;
  IBackend& receiver_;
  std::deque<Event> arrived_, free_;  // one a slot

 private:
  void put(int slot, const TensorView& from) override {
    const int64_t bytes = from.bytes();
    const Stream queue = sender_.queue();
    if (bytes <= kSmallBytes) {
      delay(bytes, queue);
      carry(slot, static_cast<const std::byte*>(from.data), bytes, queue);
      return;
    }
    auto* outgoing = static_cast<std::byte*>(outgoing_.get());
    left_.wait(queue);
    cuda::copy_async(outgoing, from.data, bytes, queue);
    ready_.record(queue);
    ready_.wait(out_.get());
    delay(bytes, out_.get());
    carry(slot, outgoing, bytes, out_.get());
    left_.record(out_.get());
  }

  void take(int slot, const TensorView& to) override {
    arrived_[slot].wait(receiver_.queue());
    cuda::copy_async(to.data, slot_memory(slot), to.bytes(), receiver_.queue());
    free_[slot].record(receiver_.queue());
  }

  void delay(int64_t bytes, Stream stream) const {
    if (link_) {
      left_.wait(stream);  // one message at a time, also a small one behind others
      spin_for(link_->seconds(bytes), sender_.device(), stream);
    }
  }

  std::optional<SlowLink> link_;
  Event ready_, left_;
  Memory memory_, outgoing_;
  OwnedStream out_;  // its end waits for the copies, so it goes before what they use
};

class PeerHop : public CudaHop {
 public:
  PeerHop(IBackend& sender, IBackend& receiver, int64_t bytes)
      : CudaHop(sender, receiver, bytes, sender.device()) {}
  ~PeerHop() override { finish(); }

  std::string str() const override {
    return sender_.device() == receiver_.device() ? "copies on one device" : "peer copies";
  }

 protected:
  void carry(int slot, const std::byte* from, int64_t bytes, Stream out) override {
    free_[slot].wait(out);
    if (sender_.device() == receiver_.device()) {
      cuda::copy_async(slot_memory(slot), from, bytes, out);
    } else {
      cuda::copy_peer_async(slot_memory(slot), receiver_.device().index, from,
                            sender_.device().index, bytes, out);
    }
    arrived_[slot].record(out);
  }
};

class StagedHop : public CudaHop {
 public:
  StagedHop(IBackend& sender, IBackend& receiver, int64_t bytes)
      : CudaHop(sender, receiver, bytes, receiver.device()),
        pinned_(Buffer::pinned(kPieces * kPieceBytes, Buffer::Fill::kNone, "staged hop")),
        in_(receiver.device()) {
    for (int i = 0; i < kPieces; ++i) {
      full_.emplace_back(sender.device());
      empty_.emplace_back(receiver.device());
    }
  }
  ~StagedHop() override { finish(); }

  std::string str() const override { return "pinned host memory"; }

 protected:
  void carry(int slot, const std::byte* from, int64_t bytes, Stream out) override {
    const Stream in = bytes <= kSmallBytes ? receiver_.queue() : in_.get();
    free_[slot].wait(in);
    for (int64_t at = 0; at < bytes; at += kPieceBytes) {
      const int64_t n = std::min(kPieceBytes, bytes - at);
      std::byte* piece = pinned_.data() + piece_ * kPieceBytes;
      empty_[piece_].wait(out);
      cuda::copy_async(piece, from + at, n, out);
      full_[piece_].record(out);
      full_[piece_].wait(in);
      cuda::copy_async(slot_memory(slot) + at, piece, n, in);
      empty_[piece_].record(in);
      piece_ = (piece_ + 1) % kPieces;
    }
    arrived_[slot].record(in);
  }

 private:
  int piece_ = 0;
  std::deque<Event> full_, empty_;
  Buffer pinned_;
  OwnedStream in_;
};

}  // namespace

std::unique_ptr<Hop> make_cuda_hop(IBackend& sender, IBackend& receiver, int64_t bytes,
                                   bool staged) {
  if (staged) {
    return std::make_unique<StagedHop>(sender, receiver, bytes);
  }
  return std::make_unique<PeerHop>(sender, receiver, bytes);
}

HopBytes cuda_hop_bytes(int64_t bytes) {
  return {bytes > kSmallBytes ? bytes : 0, kHopRing * bytes};
}

std::string why_no_peer_copy(IBackend& from, IBackend& to) {
  if (from.device() == to.device()) {
    return "";
  }
  std::string why = cuda::enable_peer_copies(from.device().index, to.device().index);
  if (!why.empty()) {
    return why;
  }
  // Some platforms promise peer access and lose the bytes on the way.
  constexpr int64_t kWords = 1 << 14;
  const Shape shape{kWords};
  std::vector<int32_t> sent(kWords), got(kWords);
  for (int64_t i = 0; i < kWords; ++i) {
    sent[i] = static_cast<int32_t>(i * 2654435761u + 12345);
  }
  try {
    const int64_t bytes = kWords * dtype_bytes(DType::kI32);
    const Memory source = from.allocate(bytes), target = to.allocate(bytes);
    from.upload(TensorView(source.get(), DType::kI32, shape, from.device()), sent.data());
    cuda::copy_peer_async(target.get(), to.device().index, source.get(), from.device().index, bytes,
                          from.queue());
    from.synchronize();
    to.download(TensorView(target.get(), DType::kI32, shape, to.device()), got.data());
  } catch (const Error& e) {
    return e.what();
  }
  return got == sent ? "" : "a trial copy arrived changed";
}

}  // namespace ember
