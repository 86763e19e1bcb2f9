// SPDX-License-Identifier: Apache-2.0
// log and exp on pairs of floats. Each value is hi + lo, lo being what hi's rounding lost; each
// function below rounds where SLEEF's vector code with fused multiply-add does.
#include "engine/model/fp32_pow.h"

#include <cmath>

namespace ember {
namespace {

constexpr size_t kTorchBlock = 32;

struct Pair {
  float hi, lo;
};

// a + b for |a| >= |b|.
Pair fast_sum(float a, float b) {
  const float s = a + b;
  return {s, (a - s) + b};
}

// a + b for any a, b.
Pair sum(float a, float b) {
  const float s = a + b;
  const float v = s - a;
  return {s, (a - (s - v)) + (b - v)};
}

Pair sum(Pair a, float b) {
  const Pair s = sum(a.hi, b);
  return {s.hi, s.lo + a.lo};
}

Pair sum(Pair a, Pair b) {
  const Pair s = sum(a.hi, b.hi);
  return {s.hi, s.lo + (a.lo + b.lo)};
}

// a + b for |a| >= |b|.
Pair fast_sum(Pair a, Pair b) {
  const float s = a.hi + b.hi;
  return {s, (((a.hi - s) + b.hi) + a.lo) + b.lo};
}

Pair product(Pair a, float b) {
  const float p = a.hi * b;
  return {p, std::fma(a.lo, b, std::fma(a.hi, b, -p))};
}

Pair product(Pair a, Pair b) {
  const float p = a.hi * b.hi;
  return {p, std::fma(a.hi, b.lo, std::fma(a.lo, b.hi, std::fma(a.hi, b.hi, -p)))};
}

Pair square(Pair a) {
  const float p = a.hi * a.hi;
  return {p, std::fma(a.hi + a.hi, a.lo, std::fma(a.hi, a.hi, -p))};
}

Pair quotient(Pair n, Pair d) {
  const float r = 1.0f / d.hi;
  const float q = n.hi * r;
  const float rest = std::fma(r, n.hi, -q);
  const float correction = std::fma(-d.lo, r, std::fma(-d.hi, r, 1.0f));
  return {q, std::fma(q, correction, std::fma(n.lo, r, rest))};
}

// ln(x), x = m * 2^e with m in [0.75, 1.5), by the series of atanh((m - 1) / (m + 1)).
Pair log_pair(float x) {
  const int e = std::ilogb(x * (1.0f / 0.75f));
  const float m = std::ldexp(x, -e);
  const Pair t = quotient(sum(-1.0f, m), sum(1.0f, m));
  const Pair t2 = square(t);
  float p = 0.240320354700088500976562f;
  p = std::fma(p, t2.hi, 0.285112679004669189453125f);
  p = std::fma(p, t2.hi, 0.400007992982864379882812f);
  const Pair third = {0.66666662693023681640625f, 3.69183861259614332084311e-09f};
  const Pair ln2 = {0.69314718246459960938f, -1.904654323148236017e-09f};
  const Pair head = fast_sum(product(ln2, static_cast<float>(e)), Pair{t.hi * 2.0f, t.lo * 2.0f});
  return fast_sum(head, product(product(t2, t), sum(product(t2, p), third)));
}

// e^x of a pair whose exponential is a normal float.
float exp_pair(Pair x) {
  const float q = std::rint((x.hi + x.lo) *
                            1.442695040888963407359924681001892137426645954152985934135449406931f);
  Pair s = sum(x, q * -0.693145751953125f);
  s = sum(s, q * -1.428606765330187045e-06f);
  s = fast_sum(s.hi, s.lo);
  float p = 0.00136324646882712841033936f;
  p = std::fma(p, s.hi, 0.00836596917361021041870117f);
  p = std::fma(p, s.hi, 0.0416710823774337768554688f);
  p = std::fma(p, s.hi, 0.166665524244308471679688f);
  p = std::fma(p, s.hi, 0.499999850988388061523438f);
  const Pair tail = fast_sum(s, product(square(s), p));
  const Pair whole = fast_sum(Pair{1.0f, 0.0f}, tail);
  return std::ldexp(whole.hi + whole.lo, static_cast<int>(q));
}

}  // namespace

std::vector<float> fp32_pow(float base, const std::vector<float>& exponents) {
  const size_t blocks = exponents.size() / kTorchBlock * kTorchBlock;
  const Pair log_base = log_pair(base);
  std::vector<float> out(exponents.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = i < blocks ? exp_pair(product(log_base, exponents[i])) : std::pow(base, exponents[i]);
  }
  return out;
}

}  // namespace ember
