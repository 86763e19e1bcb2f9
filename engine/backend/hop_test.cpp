// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/hop.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "engine/backend/cpu_backend.h"
#include "engine/backend/emulated_device.h"
#include "engine/backend/slow_link.h"
#include "engine/core/clock.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

struct Link {
  explicit Link(const char* value) { setenv("EMBER_LINK", value, 1); }
  ~Link() { unsetenv("EMBER_LINK"); }
};

// Two devices and rows on each.
class Pair {
 public:
  static constexpr int64_t kRows = 3, kWidth = 1000;

  Pair(std::unique_ptr<IBackend> sender, std::unique_ptr<IBackend> receiver)
      : sender_(std::move(sender)),
        receiver_(std::move(receiver)),
        there_(sender_->allocate(bytes())),
        here_(receiver_->allocate(bytes())),
        hop_(make_hop(*sender_, *receiver_, bytes(), HopPath::kAuto)) {}

  static int64_t bytes() { return kRows * kWidth * dtype_bytes(DType::kF32); }

  void send(float value, int64_t rows = kRows) {
    const std::vector<float> all(rows * kWidth, value);
    const TensorView from = view(there_, *sender_, rows);
    sender_->upload(from, all.data());
    hop_->send(from);
    const std::vector<float> next(rows * kWidth, -1.0f);
    sender_->upload(from, next.data());  // as the next pass does
  }
  // The value that all elements have.
  float receive(int64_t rows = kRows) {
    const TensorView to = view(here_, *receiver_, rows);
    receiver_->receive(to, *hop_);
    std::vector<float> got(rows * kWidth);
    receiver_->download(to, got.data());
    for (const float v : got) {
      EXPECT_EQ(v, got[0]);
    }
    return got[0];
  }
  Hop& hop() { return *hop_; }

 private:
  static TensorView view(const Memory& memory, const IBackend& backend, int64_t rows) {
    return TensorView(memory.get(), DType::kF32, {rows, kWidth}, backend.device());
  }

  std::unique_ptr<IBackend> sender_, receiver_;
  Memory there_, here_;
  std::unique_ptr<Hop> hop_;
};

Pair cpus() {
  return Pair(make_cpu_backend(), make_cpu_backend());
}

TEST(Hop, MessagesArriveInTheirOrder) {
  const auto device = [](bool cpu) {
    return cpu ? make_cpu_backend() : make_emulated_device(DType::kBF16);
  };
  for (const int kinds : {0, 1, 2, 3}) {
    Pair pair(device((kinds & 1) != 0), device((kinds & 2) != 0));
    pair.send(1);
    EXPECT_EQ(pair.receive(), 1);
    pair.send(2);
    pair.send(3, 1);
    EXPECT_EQ(pair.receive(), 2);
    pair.send(4);
    EXPECT_EQ(pair.receive(1), 3);
    EXPECT_EQ(pair.receive(), 4);
    EXPECT_EQ(pair.hop().seconds().has_value(), kinds == 3);
  }
}

TEST(Hop, RefusesWhatItCannotCarry) {
  Pair pair = cpus();
  EXPECT_THROW(pair.receive(), Error);  // nothing was sent
  pair.send(1);
  EXPECT_THROW(pair.receive(2), Error);  // of another shape
  EXPECT_EQ(pair.receive(), 1);          // and still there
  pair.send(2);
  pair.send(3);
  EXPECT_THROW(pair.send(4), Error);  // too many under way
  pair.hop().drop();
  EXPECT_THROW(pair.receive(), Error);
  pair.send(5);
  EXPECT_EQ(pair.receive(), 5);
  const auto cpu = make_cpu_backend();
  const auto small = make_hop(*cpu, *cpu, 4, HopPath::kAuto);
  float values[] = {1, 2};
  EXPECT_THROW(small->send(TensorView(values, DType::kF32, {2})), Error);
}

TEST(Hop, ASlowLinkTakesItsTimeAndCarriesOneMessageAtATime) {
  const Link link("0.001,50000");  // 1 MB/s, 50 ms
  const double each = 50e-3 + static_cast<double>(Pair::bytes()) / 1e6;
  Pair pair = cpus();
  const double start = now_seconds();
  pair.send(1);
  EXPECT_LT(now_seconds() - start, each);  // the sender does not wait
  pair.send(2);
  EXPECT_EQ(pair.receive(), 1);
  EXPECT_GE(now_seconds() - start, each);
  EXPECT_GE(*pair.hop().seconds(), each);
  EXPECT_EQ(pair.receive(), 2);
  EXPECT_GE(now_seconds() - start, 2 * each);
  // Read late: what the message took does not grow by it.
  pair.send(3);
  double late = now_seconds() + 10 * each;
  while (now_seconds() < late) {
  }
  pair.receive();
  EXPECT_GE(*pair.hop().seconds(), each);
  EXPECT_LT(*pair.hop().seconds(), 10 * each);
}

TEST(SlowLink, IsARateAndALatency) {
  EXPECT_FALSE(slow_link().has_value());
  {
    const Link link("2");
    EXPECT_DOUBLE_EQ(slow_link()->seconds(1000), 500e-9);
    EXPECT_EQ(slow_link()->str(), "2 GB/s, 0 us");
  }
  {
    const Link link("0.5,20");
    EXPECT_DOUBLE_EQ(slow_link()->seconds(1000), 22e-6);
    EXPECT_EQ(slow_link()->str(), "0.5 GB/s, 20 us");
  }
  for (const char* bad : {"fast", "0", "-1", "1,", "1,x", "1,-2", ",5", "1;5", "1,5,9", "1 ", "nan",
                          "inf", "1e9", "1,1e9"}) {
    const Link link(bad);
    try {
      slow_link();
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage);
      EXPECT_NE(std::string(e.what()).find("EMBER_LINK: expected GB/s[,us]"), std::string::npos);
      EXPECT_NE(std::string(e.what()).find("'" + std::string(bad) + "'"), std::string::npos)
          << e.what();
    }
  }
}

}  // namespace
}  // namespace ember
