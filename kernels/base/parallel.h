// SPDX-License-Identifier: Apache-2.0
// One pool of threads for the whole process. Decode makes hundreds of short calls a token, so
// waiting threads first spin for a bounded time and then sleep.
#pragma once

#include <cstdint>

namespace ember {

namespace detail {
using ParallelBody = void (*)(const void* f, int64_t begin, int64_t end);
void parallel_run(int64_t n, int64_t grain, ParallelBody body, const void* f);
}  // namespace detail

// Threads that parallel_for uses, the caller included. Default: EMBER_THREADS, else the CPUs this
// process may run on (affinity mask, then the cgroup's quota, rounded up).
int thread_count();
// 0 restores the default. Not to be called while a parallel_for runs. For tests and --threads.
void set_thread_count(int n);

// Calls body(begin, end) over [0, n) in pieces of at most `grain` indices (>= 1), on several
// threads, and returns when all are done. Pieces are handed out in order, one at a time, so uneven
// pieces balance; which thread gets a piece is not fixed: the result must not depend on it.
// Nested calls, and calls while another thread's call holds the pool, run on the calling thread.
// The first exception is rethrown to the caller once all threads have stopped; pieces not begun by
// then are skipped.
template <class F>
void parallel_for(int64_t n, int64_t grain, const F& body) {
  detail::parallel_run(
      n, grain,
      [](const void* f, int64_t begin, int64_t end) { (*static_cast<const F*>(f))(begin, end); },
      &body);
}

}  // namespace ember
