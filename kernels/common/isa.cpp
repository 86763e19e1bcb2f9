// SPDX-License-Identifier: Apache-2.0
#include "kernels/common/isa.h"

#include <atomic>

#include "kernels/base/env.h"
#include "kernels/base/error.h"

namespace ember::k {
namespace {

constexpr int kUndecided = -1;
std::atomic<int> current{kUndecided};

bool cpu_has(CpuIsa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  switch (isa) {
    case CpuIsa::kPlain:
      return true;
    case CpuIsa::kAvx2:
      return avx2;  // no CPU has AVX2 and FMA without F16C
    case CpuIsa::kAvx512:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
  return false;
#else
  return isa == CpuIsa::kPlain;
#endif
}

CpuIsa decide() {
  const std::vector<CpuIsa> usable = usable_isas();
  const auto wanted = env_text(EnvVar::kCpuIsa);
  if (!wanted) {
    return usable.back();
  }
  for (CpuIsa isa : {CpuIsa::kPlain, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
    if (*wanted != name(isa)) {
      continue;
    }
    if (!cpu_has(isa)) {
      fail(ErrorKind::kUnsupported, "EMBER_CPU_ISA=", *wanted, ": this CPU has ",
           name(usable.back()), " at best");
    }
    return isa;
  }
  fail(ErrorKind::kUsage, "EMBER_CPU_ISA: expected plain, avx2 or avx512, got '", *wanted, "'");
}

}  // namespace

const char* name(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kPlain:
      return "plain";
    case CpuIsa::kAvx2:
      return "avx2";
    case CpuIsa::kAvx512:
      return "avx512";
  }
  return "?";
}

CpuIsa cpu_isa() {
  int isa = current.load(std::memory_order_relaxed);
  if (isa == kUndecided) {
    isa = static_cast<int>(decide());
    current.store(isa, std::memory_order_relaxed);
  }
  return static_cast<CpuIsa>(isa);
}

std::vector<CpuIsa> usable_isas() {
  std::vector<CpuIsa> usable;
  for (CpuIsa isa : {CpuIsa::kPlain, CpuIsa::kAvx2, CpuIsa::kAvx512}) {
    if (cpu_has(isa)) {
      usable.push_back(isa);
    }
  }
  return usable;
}

void force_cpu_isa(std::optional<CpuIsa> isa) {
  if (isa && !cpu_has(*isa)) {
    fail(ErrorKind::kUnsupported, "this CPU has no ", name(*isa));
  }
  current.store(isa ? static_cast<int>(*isa) : kUndecided, std::memory_order_relaxed);
}

}  // namespace ember::k
