// SPDX-License-Identifier: Apache-2.0
// Events order everything, so that one host thread can give all stages their work ahead of time:
//
//   sender's queue    ..stage c.. |ready            |read: stage c+1 may overwrite x
//   out (sender)                   wait ready, copy |arrived (peer), or D2H by pieces |full
//   in (receiver, staged only)                       wait full, H2D by pieces |empty … |arrived
//   receiver's queue                                 wait arrived, slot -> x |free, ..stage c..
//
// A slot of the ring is written again only after `free`, so the sender may be two chunks ahead.
#include "engine/backend/cuda_hop.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

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
  CudaHop(IBackend& sender, IBackend& receiver, int64_t bytes)
      : sender_(sender),
        receiver_(receiver),
        bytes_(bytes),
        ready_(sender.device()),
        memory_(receiver.allocate(kHopRing * bytes)),
        out_(sender.device()) {
    for (int i = 0; i < kHopRing; ++i) {
      free_.emplace_back(receiver.device());
    }
  }

  void move(const TensorView& to, const TensorView& from) override {
    EMBER_CHECK(to.shape == from.shape && to.dtype == from.dtype && to.dense() && from.dense() &&
                    from.bytes() <= bytes_,
                "hop of ", bytes_, " bytes from ", from.shape.str(), " to ", to.shape.str());
    const int64_t bytes = from.bytes();
    std::byte* slot = static_cast<std::byte*>(memory_.get()) + turn_ * bytes_;
    const Stream out = bytes <= kSmallBytes ? sender_.queue() : out_.get();
    ready_.record(sender_.queue());
    ready_.wait(out);
    carry(slot, static_cast<const std::byte*>(from.data), bytes, out, free_[turn_]);
    cuda::copy_async(to.data, slot, bytes, receiver_.queue());
    free_[turn_].record(receiver_.queue());
    turn_ = (turn_ + 1) % kHopRing;
  }

 protected:
  // Copies to the slot once it is free; the sender's queue then waits until `from` has been read,
  // and the receiver's until the slot holds it.
  virtual void carry(std::byte* slot, const std::byte* from, int64_t bytes, Stream out,
                     const Event& free) = 0;

  IBackend& sender_;
  IBackend& receiver_;

 private:
  int64_t bytes_;  // of a slot
  int turn_ = 0;
  Event ready_;
  std::deque<Event> free_;
  Memory memory_;
  OwnedStream out_;  // its end waits for the copies, so it goes before what they use
};

class PeerHop : public CudaHop {
 public:
  PeerHop(IBackend& sender, IBackend& receiver, int64_t bytes)
      : CudaHop(sender, receiver, bytes), arrived_(sender.device()) {}

  std::string str() const override {
    return sender_.device() == receiver_.device() ? "copies on one device" : "peer copies";
  }

 protected:
  void carry(std::byte* slot, const std::byte* from, int64_t bytes, Stream out,
             const Event& free) override {
    free.wait(out);
    if (sender_.device() == receiver_.device()) {
      cuda::copy_async(slot, from, bytes, out);
    } else {
      cuda::copy_peer_async(slot, receiver_.device().index, from, sender_.device().index, bytes,
                            out);
    }
    arrived_.record(out);
    arrived_.wait(sender_.queue());
    arrived_.wait(receiver_.queue());
  }

 private:
  Event arrived_;
};

class StagedHop : public CudaHop {
 public:
  StagedHop(IBackend& sender, IBackend& receiver, int64_t bytes)
      : CudaHop(sender, receiver, bytes),
        read_(sender.device()),
        arrived_(receiver.device()),
        pinned_(Buffer::pinned(kPieces * kPieceBytes, Buffer::Fill::kNone, "staged hop")),
        in_(receiver.device()) {
    for (int i = 0; i < kPieces; ++i) {
      full_.emplace_back(sender.device());
      empty_.emplace_back(receiver.device());
    }
  }

  ~StagedHop() override {
    // Small copies run on the queues of the stages. The receiver's ends every move.
    try {
      receiver_.synchronize();
    } catch (const Error&) {
      // The device has failed, and the work that failed has reported it.
    }
  }

  std::string str() const override { return "pinned host memory"; }

 protected:
  void carry(std::byte* slot, const std::byte* from, int64_t bytes, Stream out,
             const Event& free) override {
    const Stream in = bytes <= kSmallBytes ? receiver_.queue() : in_.get();
    free.wait(in);
    for (int64_t at = 0; at < bytes; at += kPieceBytes) {
      const int64_t n = std::min(kPieceBytes, bytes - at);
      std::byte* piece = pinned_.data() + piece_ * kPieceBytes;
      empty_[piece_].wait(out);
      cuda::copy_async(piece, from + at, n, out);
      full_[piece_].record(out);
      full_[piece_].wait(in);
      cuda::copy_async(slot + at, piece, n, in);
      empty_[piece_].record(in);
      piece_ = (piece_ + 1) % kPieces;
    }
    read_.record(out);
    read_.wait(sender_.queue());
    arrived_.record(in);
    arrived_.wait(receiver_.queue());
  }

 private:
  int piece_ = 0;
  Event read_, arrived_;
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
