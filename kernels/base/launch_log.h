// SPDX-License-Identifier: Apache-2.0
// What the kernels that an op really launched take of the device. While no log lives, a launch
// costs one comparison more.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace ember {

struct KernelLaunch {
  std::string op;            // "linear"
  std::string kernel;        // its function, "gemv_kernel"; "library" where a library launched
  bool library = false;      // then nothing below is known
  int64_t registers = 0;     // a thread
  int64_t shared_bytes = 0;  // a block, static and dynamic
  int64_t local_bytes = 0;   // a thread: what does not fit its registers
  int64_t threads = 0, blocks = 0;  // a block; the grid
};

// Notes every launch of the process, on all threads, between its construction and its end. Work
// recorded into a graph is noted as it is recorded, not as it is replayed. One log at a time.
class LaunchLog {
 public:
  LaunchLog();
  ~LaunchLog();
  LaunchLog(const LaunchLog&) = delete;
  LaunchLog& operator=(const LaunchLog&) = delete;

  std::vector<KernelLaunch> launches() const;  // in order

  // For those who launch: the log that is alive, or null.
  static LaunchLog* active() { return active_.load(std::memory_order_acquire); }
  void add(KernelLaunch launch);
  static void add_library(const char* op) {
    if (LaunchLog* log = active()) {
      log->add({op, "library", true});
    }
  }

 private:
  static std::atomic<LaunchLog*> active_;
  mutable std::mutex mutex_;
  std::vector<KernelLaunch> launches_;
};

// "gemv_kernel" of "void ember::k::(anonymous namespace)::gemv_kernel<__half, 4>(Args)".
std::string short_function_name(const std::string& demangled);

}  // namespace ember
