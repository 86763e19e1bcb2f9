# SPDX-License-Identifier: Apache-2.0
"""The error figures of one run against the truth, in fp64.

golden/compare.cpp computes the same figures of Ember's runs; the names and definitions are one.
"""

import numpy as np

MEAN = ("rel_l2", "kl", "js", "dp_rms", "top_rms", "lse_rms")
MAX = ("max_abs", "dp_max", "top_max", "stat_max")
TOP = 64
SLOPE_MIN_POSITIONS = 63


def log_softmax(x):
    m = x.max(-1, keepdims=True)
    return x - m - np.log(np.exp(x - m).sum(-1, keepdims=True))


def kl_terms(p, q, d):
    """Summands of KL(p||q) with d = log p - log q, in a form that sums to it and is never negative.

    Close distributions take a series: p * d alone would lose all digits when summed.
    """
    series = p * d * d * (0.5 - d * (1 / 6 - d * (1 / 24 - d / 120)))
    return np.where(np.abs(d) < 1e-2, series, np.where(p > 0, p * d, 0.0) + q - p)


def log_half_sum(d):
    """log((1 + exp(-d)) / 2)."""
    small = np.log1p(np.expm1(-np.clip(d, -1, 1)) / 2)
    return np.where(np.abs(d) < 1, small, np.logaddexp(0.0, -d) - np.log(2.0))


def kl_js(t, e):
    """Per row: KL(T||E) and the Jensen-Shannon divergence of the two softmax distributions."""
    lp, lq = log_softmax(t), log_softmax(e)
    p, q, d = np.exp(lp), np.exp(lq), lp - lq
    mid = (p + q) / 2
    js = kl_terms(p, mid, -log_half_sum(d)) + kl_terms(q, mid, -log_half_sum(-d))
    return kl_terms(p, q, d).sum(-1), js.sum(-1) / 2


def stats(logits):
    """(T, 4): logsumexp, mean, standard deviation, minimum of each row."""
    m = logits.max(-1)
    lse = m + np.log(np.exp(logits - m[:, None]).sum(-1))
    return np.stack([lse, logits.mean(-1), logits.std(-1), logits.min(-1)], axis=1)


def theil_sen(x, y):
    """Median of the slopes of all pairs."""
    i, j = np.triu_indices(len(x), 1)
    dx = x[j] - x[i]
    return float(np.median((y[j] - y[i])[dx != 0] / dx[dx != 0]))


def rel_l2(e, t):
    norm = np.sqrt((t * t).sum())
    err = np.sqrt(((e - t) ** 2).sum())
    return float(err / norm) if norm > 0 else float(err)


class Reference:
    """What is stored of the truth for one case, rounded to fp32 as the file holds it."""

    def __init__(self, ids, full_pos, top_pos, res_pos, full, top_ids, top_values, stats, residual):
        self.ids, self.full_pos, self.top_pos = list(ids), list(full_pos), list(top_pos)
        self.res_pos, self.full, self.top_ids = list(res_pos), full, top_ids
        self.top_values, self.stats, self.residual = top_values, stats, residual

    @staticmethod
    def from_truth(ids, logits, residual, full_pos, top_pos, res_pos):
        f32 = lambda x: np.asarray(x, dtype=np.float32)
        rows = logits[top_pos]
        order = np.argsort(-rows, axis=1, kind="stable")[:, : min(TOP, rows.shape[1])]
        return Reference(ids, full_pos, top_pos, res_pos, f32(logits[full_pos]),
                         order.astype(np.int32), f32(np.take_along_axis(rows, order, 1)),
                         f32(stats(rows)), f32(residual[:, res_pos]))

    @staticmethod
    def from_tensors(t):
        return Reference(t["ids"].tolist(), t["full_pos"].tolist(), t["top_pos"].tolist(),
                         t["res_pos"].tolist(), t["full_logits"], t["top_ids"], t["top_values"],
                         t["stats"], t["residual"])


def measure(ref, logits, residual):
    """All figures of one run (logits (T, V), residual (L+1, T, D)) against a Reference."""
    t, e = ref.full.astype(np.float64), logits[ref.full_pos]
    tc, ec = t - t.mean(-1, keepdims=True), e - e.mean(-1, keepdims=True)
    kl, js = kl_js(t, e)
    dp = np.exp(log_softmax(t)) - np.exp(log_softmax(e))
    rows = logits[ref.top_pos]
    top_err = np.take_along_axis(rows, ref.top_ids, 1) - ref.top_values.astype(np.float64)
    stat_err = stats(rows) - ref.stats.astype(np.float64)
    out = {
        "rel_l2": rel_l2(ec, tc),
        "kl": float(kl.mean()),
        "js": float(js.mean()),
        "dp_rms": float(np.sqrt((dp * dp).mean())),
        "top_rms": float(np.sqrt((top_err**2).mean())),
        "lse_rms": float(np.sqrt((stat_err[:, 0] ** 2).mean())),
        "max_abs": float(np.abs(e - t).max()),
        "dp_max": float(np.abs(dp).max()),
        "top_max": float(np.abs(top_err).max()),
        "stat_max": float(np.abs(stat_err).max()),
        "signed": float((e - t).mean() / np.sqrt((tc * tc).mean())),
        "flips": int((rows.argmax(-1) != ref.top_ids[:, 0]).sum()),
        "residual": [rel_l2(residual[i][ref.res_pos], ref.residual[i].astype(np.float64))
                     for i in range(len(residual))],
        "slope": None,
    }
    if len(ref.top_pos) >= SLOPE_MIN_POSITIONS:
        per_pos = np.sqrt((top_err**2).mean(-1))
        x = np.log(1.0 + np.asarray(ref.top_pos))
        keep = per_pos > 0
        out["slope"] = theil_sen(x[keep], np.log(per_pos[keep]))
    return out
