// SPDX-License-Identifier: Apache-2.0
// Which instruction set the CPU kernels use. Sources named *_isa.cpp are compiled once a level
// (cmake/EmberIsa.cmake); the code that calls them picks a level's table of functions here.
#pragma once

#include <optional>
#include <vector>

namespace ember::k {

enum class CpuIsa {
  kPlain,   // what the compiler's baseline allows: SSE2, NEON
  kAvx2,    // AVX2, FMA, F16C
  kAvx512,  // AVX-512 F, BW, DQ, VL
};

const char* name(CpuIsa isa);
// The best level of this CPU, or what EMBER_CPU_ISA asks for. Throws Error{kUsage} when that is
// unknown, Error{kUnsupported} when the CPU lacks it.
CpuIsa cpu_isa();
// Every level that this CPU and this build have, lowest first.
std::vector<CpuIsa> usable_isas();
// For tests: overrides cpu_isa() until called with nullopt. Not while kernels run.
void force_cpu_isa(std::optional<CpuIsa> isa);

}  // namespace ember::k

// The object `symbol` of the level in use, from namespaces plain, avx2 and avx512.
#if defined(__x86_64__)
#define EMBER_PICK_ISA(symbol)                                           \
  (::ember::k::cpu_isa() == ::ember::k::CpuIsa::kAvx512 ? avx512::symbol \
   : ::ember::k::cpu_isa() == ::ember::k::CpuIsa::kAvx2 ? avx2::symbol   \
                                                        : plain::symbol)
#else
#define EMBER_PICK_ISA(symbol) (plain::symbol)
#endif
