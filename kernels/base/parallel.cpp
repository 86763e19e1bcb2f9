// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernels/base/env.h"
#include "kernels/base/error.h"

namespace ember {
namespace {

constexpr int kMaxThreads = 256;
// Long enough to bridge the serial work between two ops of a decode step, short enough that an
// idle process costs nothing.
constexpr std::chrono::microseconds kSpin{50};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// CPUs that the control group's quota allows, rounded up; a large number without a quota.
int quota_cpus() {
  double quota = -1, period = 0;
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string text;
  if (v2 >> text >> period) {
    quota = text == "max" ? -1 : std::strtod(text.c_str(), nullptr);
  } else {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota <= 0 || period <= 0) {
    return kMaxThreads;
  }
  return std::max(1, static_cast<int>((quota + period - 1) / period));
}

int default_threads() {
  if (const auto n = env_int(EnvVar::kThreads, 1, kMaxThreads)) {
    return static_cast<int>(*n);
  }
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    cpus = CPU_COUNT(&mask);
  }
  return std::clamp(std::min(cpus, quota_cpus()), 1, kMaxThreads);
}

// One call of parallel_for: the pieces not yet taken and the first exception.
struct Job {
  int64_t n, grain;
  detail::ParallelBody body;
  const void* f;
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;  // written by the thread that sets `failed`, read after all have left

  void work() {
    while (!failed.load(std::memory_order_relaxed)) {
      const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= n) {
        return;
      }
      try {
        body(f, begin, std::min(n, begin + grain));
      } catch (...) {
        if (!failed.exchange(true)) {
          error = std::current_exception();
        }
      }
    }
  }
};

thread_local bool inside_job = false;

class Pool {
 public:
  ~Pool() { stop(); }

  int size() {
    std::lock_guard<std::mutex> lock(owner_);
    return size_locked();
  }

  void resize(int n) {
    std::lock_guard<std::mutex> lock(owner_);
    stop();
    size_ = n;
  }

  // False when another thread holds the pool or there is nobody to share the work with.
  bool run(Job& job) {
    std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
    if (!owner.owns_lock() || size_locked() == 1) {
      return false;
    }
    start();
    job_ = &job;  // nobody reads it: the last job is closed and left
    {
      std::lock_guard<std::mutex> lock(mutex_);
      state_.store((generation(state_.load()) + 1) << kGenerationShift | kOpen);
    }
    if (sleepers_.load() > 0) {
      wake_.notify_all();
    }
    inside_job = true;
    job.work();
    inside_job = false;
    // A thread that has not come by now is not waited for: the work is all taken.
    state_.fetch_and(~kOpen);
    wait_for_workers();
    return true;
  }

 private:
  int size_locked() {
    if (size_ == 0) {
      size_ = default_threads();
    }
    return size_;
  }

  void start() {
    while (static_cast<int>(workers_.size()) < size_ - 1) {
      workers_.emplace_back([this, seen = generation(state_.load())] { loop(seen); });
    }
  }

  void stop() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_.store(true);
    }
    wake_.notify_all();
    for (std::thread& t : workers_) {
      t.join();
    }
    workers_.clear();
    stopping_.store(false);
  }

  void loop(uint64_t seen) {
    inside_job = true;
    while (wait_for_generation(seen)) {
      seen = generation(state_.load());
      if (!join(seen)) {
        continue;
      }
      job_->work();
      const uint64_t before = state_.fetch_sub(1);
      if ((before & kOpen) == 0 && (before & kWorkers) == 1) {
        std::lock_guard<std::mutex> lock(mutex_);
        done_.notify_one();
      }
    }
  }

  // True once the job of that generation counts this thread, which it then must wait for.
  bool join(uint64_t seen) {
    uint64_t state = state_.load();
    while (generation(state) == seen && (state & kOpen) != 0) {
      if (state_.compare_exchange_weak(state, state + 1)) {
        return true;
      }
    }
    return false;
  }

  // False when the pool stops.
  bool wait_for_generation(uint64_t seen) {
    const auto ready = [&] { return stopping_.load() || generation(state_.load()) != seen; };
    if (!spin(ready)) {
      std::unique_lock<std::mutex> lock(mutex_);
      sleepers_.fetch_add(1);
      wake_.wait(lock, ready);
      sleepers_.fetch_sub(1);
    }
    return !stopping_.load();
  }

  void wait_for_workers() {
    const auto ready = [&] { return (state_.load() & kWorkers) == 0; };
    if (!spin(ready)) {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, ready);
    }
  }

  // False when kSpin has passed first.
  template <class Ready>
  static bool spin(const Ready& ready) {
    const auto deadline = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 64; ++i) {
        if (ready()) {
          return true;
        }
        relax();
      }
    } while (std::chrono::steady_clock::now() < deadline);
    return false;
  }

  // state_: the number of jobs so far, whether the last one can still be joined, and how many
  // workers are in it. One word, so that a worker joins exactly the job it saw.
  static constexpr int kGenerationShift = 32;
  static constexpr uint64_t kOpen = uint64_t{1} << 31, kWorkers = kOpen - 1;
  static uint64_t generation(uint64_t state) { return state >> kGenerationShift; }

  std::mutex owner_;  // held by the thread whose job runs; guards size_ and workers_
  int size_ = 0;      // 0: not decided yet
  std::vector<std::thread> workers_;

  std::mutex mutex_;  // state_ and stopping_ change under it where a sleeper must not miss it
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;  // valid for those who joined
  std::atomic<uint64_t> state_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> sleepers_{0};
};

Pool& pool() {
  static Pool p;
  return p;
}

}  // namespace

int thread_count() {
  return pool().size();
}

void set_thread_count(int n) {
  if (n < 0 || n > kMaxThreads) {
    fail(ErrorKind::kUsage, "thread count: expected 0 to ", kMaxThreads, ", got ", n);
  }
  pool().resize(n);
}

namespace detail {

void parallel_run(int64_t n, int64_t grain, ParallelBody body, const void* f) {
  EMBER_CHECK(grain >= 1, "grain ", grain);
  if (n <= 0) {
    return;
  }
  Job job{n, grain, body, f, {}, {}, {}};
  if (n <= grain || inside_job || !pool().run(job)) {
    // Pieces stay within the grain here too: bodies may size scratch memory by it.
    job.work();
  }
  if (job.error) {
    std::rethrow_exception(job.error);
  }
}

}  // namespace detail
}  // namespace ember
