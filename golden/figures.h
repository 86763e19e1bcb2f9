// SPDX-License-Identifier: Apache-2.0
// The error figures of one run of one case against the truth. scripts/golden_ref/metrics.py
// computes the same figures of Hugging Face's variants: names and definitions are one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ember::golden {

// Mean-type figures are judged over all cases, max-type ones case by case (tolerance.h).
//   id, name, mean-type, meaning
#define EMBER_FIGURES(X)                                                                    \
  X(kRelL2, "rel_l2", true, "relative L2 of centred logits at the full positions")          \
  X(kKl, "kl", true, "mean KL(T||E) there, nats")                                           \
  X(kJs, "js", true, "mean Jensen-Shannon divergence there, nats")                          \
  X(kDpRms, "dp_rms", true, "rms of the probability differences there")                     \
  X(kTopRms, "top_rms", true, "rms error of the truth's 64 largest logits, every position") \
  X(kLseRms, "lse_rms", true, "rms error of logsumexp, every position")                     \
  X(kMaxAbs, "max_abs", false, "largest logit error at the full positions")                 \
  X(kDpMax, "dp_max", false, "largest probability difference there")                        \
  X(kTopMax, "top_max", false, "largest error of the 64 largest logits, every position")    \
  X(kStatMax, "stat_max", false, "largest error of logsumexp, mean, sd or minimum of a row")

enum class Figure {
#define X(id, name, mean, what) id,
  EMBER_FIGURES(X)
#undef X
      kCount
};
inline constexpr int kFigures = static_cast<int>(Figure::kCount);
const char* name(Figure f);
bool mean_type(Figure f);

struct Figures {
  double value[kFigures] = {};
  double bias = 0;               // mean signed logit error over the truth's standard deviation
  std::optional<double> slope;   // of log error over log position; cases of 63 positions or more
  int64_t flips = 0;             // positions whose largest logit is another than the truth's
  std::vector<double> residual;  // relative L2 of the stream: embedding, then after each layer

  double operator[](Figure f) const { return value[static_cast<int>(f)]; }
  double& operator[](Figure f) { return value[static_cast<int>(f)]; }
};

// Taps of every layer, in data-flow order; and those outside layers.
inline constexpr const char* kLayerTaps[] = {
    "attn_norm",     "q_proj",   "k_proj", "v_proj", "q_rope", "k_rope",   "attention",
    "attn_residual", "mlp_norm", "gate",   "up",     "swiglu", "layer_out"};
inline constexpr const char* kOutsideTaps[] = {"embedding", "final_norm", "logits"};

// One case of the reference: what the exporter stored of the truth.
struct Reference {
  std::vector<int32_t> ids;        // (T)
  std::vector<int32_t> full_pos;   // (n) positions with full logits, rising
  std::vector<float> full_logits;  // (n, V)
  std::vector<int32_t> top_pos;    // (m) positions with the largest logits and statistics
  std::vector<int32_t> top_ids;    // (m, k) rows from the largest down
  std::vector<float> top_values;   // (m, k)
  std::vector<float> stats;        // (m, 4) logsumexp, mean, sd, min
  std::vector<int32_t> res_pos;    // (r)
  std::vector<float> residual;     // (L+1, r, D)
  std::vector<int32_t> greedy_ids;
  std::vector<float> greedy_margin;                // first minus second logit, each step
  std::vector<int32_t> tap_pos;                    // (2) deep cases only
  std::map<std::string, std::vector<float>> taps;  // (L, 2, w), or (2, w) outside layers
  int64_t L = 0, D = 0, V = 0, k = 0;

  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  bool judged() const { return !full_pos.empty(); }  // else it has a greedy path only
  bool deep() const { return !tap_pos.empty(); }
  double margin(int64_t i) const;  // first minus second logit at top_pos[i]
};

// Collects a run's rows, in any order and from any chunks, and sums them up.
class Meter {
 public:
  // Without `with_residual` the stream is not asked for, and its figures stay empty.
  explicit Meter(const Reference& ref, bool with_residual = true);

  void logits(int64_t pos, const float* row);                   // (V)
  void residual(int64_t layer, int64_t pos, const float* row);  // (D); layer 0 is the embedding

  // Positions never given, or not finite, make every figure infinite: they can pass nothing.
  Figures finish() const;
  int64_t missing_rows() const;
  int64_t first_non_finite() const { return first_non_finite_; }  // position, or -1

  // Positions whose largest logit differs although the truth's margin exceeds `margin`.
  std::vector<int64_t> wide_flips(double margin) const;

 private:
  void full_row(int64_t i, const float* row);
  void top_row(int64_t i, const float* row);

  const Reference& ref_;
  bool with_residual_;
  std::vector<char> full_seen_, top_seen_, res_seen_;
  std::vector<double> top_square_;  // (m) mean square error of each position's largest logits
  std::vector<int64_t> flips_;
  double err2_ = 0, t2_ = 0, raw_err_ = 0, kl_ = 0, js_ = 0, dp2_ = 0, lse2_ = 0;
  double max_abs_ = 0, dp_max_ = 0, top_max_ = 0, stat_max_ = 0;
  std::vector<double> res_err2_, res_t2_;  // (L+1)
  int64_t first_non_finite_ = -1;
};

}  // namespace ember::golden
