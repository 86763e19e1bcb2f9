// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace ember {

// base ** exponent[i] in fp32 for base > 1 and exponents in [0, 1], with the bits of torch.pow on
// an x86 CPU with AVX-512 (the frequencies of a reference made by transformers are computed there).
// torch takes whole blocks of 32 elements through SLEEF's powf, whose error is up to 1 ulp (Shibata
// and Petrogalli, "SLEEF: A Portable Vectorized Library of C Standard Mathematical Functions",
// 2020), and the rest through the C library's. About one element in a hundred differs between them.
// With AVX2 torch's blocks hold 16; that makes a difference for head dimensions other than 64, 128
// and 256 only.
std::vector<float> fp32_pow(float base, const std::vector<float>& exponents);

}  // namespace ember
