// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels/base/error.h"

namespace ember {
namespace {

TEST(Parallel, EveryIndexOnceInBoundedPieces) {
  for (int threads : {1, 2, 7}) {
    set_thread_count(threads);
    for (int64_t n : {0, 1, 2, 100, 1001}) {
      for (int64_t grain : {1, 3, 1000, 5000}) {
        std::vector<std::atomic<int>> seen(n);
        parallel_for(n, grain, [&](int64_t begin, int64_t end) {
          EXPECT_LE(end - begin, grain);
          EXPECT_EQ(begin % grain, 0);
          for (int64_t i = begin; i < end; ++i) {
            ++seen[i];
          }
        });
        for (const auto& s : seen) {
          ASSERT_EQ(s, 1);
        }
      }
    }
  }
  set_thread_count(0);
}

TEST(Parallel, UsesSeveralThreads) {
  set_thread_count(3);
  std::atomic<int> arrived{0};
  // Each piece waits for the others: this ends only when three threads are at work at once.
  parallel_for(3, 1, [&](int64_t, int64_t) {
    ++arrived;
    while (arrived < 3) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(arrived, 3);
  set_thread_count(0);
}

TEST(Parallel, CarriesAnExceptionAndStaysUsable) {
  for (int threads : {1, 4}) {
    set_thread_count(threads);
    for (int round = 0; round < 50; ++round) {
      try {
        parallel_for(100, 1, [&](int64_t begin, int64_t) {
          if (begin % 10 == 7) {
            throw std::runtime_error("piece " + std::to_string(begin));
          }
        });
        FAIL() << "nothing thrown";
      } catch (const std::runtime_error& e) {
        EXPECT_EQ(std::string(e.what()).substr(0, 6), "piece ");
      }
      std::atomic<int64_t> total{0};
      parallel_for(100, 1, [&](int64_t begin, int64_t) { total += begin; });
      EXPECT_EQ(total, 4950);
    }
  }
  set_thread_count(0);
}

TEST(Parallel, NestedAndConcurrentCalls) {
  set_thread_count(4);
  const auto sum = [] {
    std::atomic<int64_t> total{0};
    parallel_for(20, 1, [&](int64_t begin, int64_t) {
      parallel_for(10, 3, [&](int64_t b, int64_t e) { total += (e - b) * (begin + 1); });
    });
    return total.load();
  };
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        wrong += sum() != 2100;
      }
    });
  }
  for (std::thread& t : callers) {
    t.join();
  }
  EXPECT_EQ(wrong, 0);
  set_thread_count(0);
}

TEST(Parallel, WakesAfterSleep) {
  set_thread_count(4);
  for (int round = 0; round < 30; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
    std::atomic<int64_t> total{0};
    parallel_for(64, 1, [&](int64_t, int64_t) { ++total; });
    ASSERT_EQ(total, 64);
  }
  set_thread_count(0);
}

TEST(Parallel, CountComesFromTheEnvironment) {
  setenv("EMBER_THREADS", "5", 1);
  set_thread_count(0);
  EXPECT_EQ(thread_count(), 5);
  setenv("EMBER_THREADS", "many", 1);
  set_thread_count(0);
  EXPECT_THROW(thread_count(), Error);
  unsetenv("EMBER_THREADS");
  set_thread_count(0);
  EXPECT_GE(thread_count(), 1);
  EXPECT_THROW(set_thread_count(-1), Error);
}

}  // namespace
}  // namespace ember
