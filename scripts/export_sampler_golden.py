#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes engine/runtime/testdata/sampler_golden.json: filtered distributions as the logits
processors of Hugging Face transformers compute them, over random logits, histories and settings.

Needs: torch, transformers, numpy. The processors run in float64, so that the file holds the exact
distribution and not the rounding of float32. The presence penalty has no processor in transformers;
it is the subtraction that the OpenAI and vLLM interfaces define, over generated tokens only.

Logits are small integers over 64 for most cases, so that ties occur and the JSON is exact.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from transformers.generation import logits_process as lp

ORDER = ["repeat", "presence", "temperature", "top_k", "top_p", "min_p"]


def lowest_ids_of_a_tie(before, after):
    """Where top-p cuts through tokens of equal score, which of them stay is left to torch's sort,
    which is not stable. Same number of them, but those of the lowest ids."""
    kept = after[0] > -float("inf")
    least = before[0][kept].min()
    tied = torch.nonzero(before[0] == least)[:, 0]
    stay = int((before[0][kept] == least).sum())
    out = after.clone()
    out[0, tied] = -float("inf")
    out[0, tied[:stay]] = before[0, tied[:stay]]
    return out


def processors(case):
    ids = torch.tensor([case["history"]], dtype=torch.int64)
    generated = sorted(set(case["history"][case["prompt_tokens"]:]))

    def repeat(x):
        if case["repeat_penalty"] == 1.0 or not case["history"]:
            return x
        return lp.RepetitionPenaltyLogitsProcessor(case["repeat_penalty"])(ids, x)

    def presence(x):
        x = x.clone()
        x[0, generated] -= case["presence_penalty"]
        return x

    def temperature(x):
        return lp.TemperatureLogitsWarper(case["temperature"])(ids, x)

    def top_k(x):
        return lp.TopKLogitsWarper(case["top_k"])(ids, x) if case["top_k"] else x

    def top_p(x):
        if case["top_p"] >= 1.0:
            return x
        return lowest_ids_of_a_tie(x, lp.TopPLogitsWarper(case["top_p"])(ids, x))

    def min_p(x):
        return lp.MinPLogitsWarper(case["min_p"])(ids, x) if case["min_p"] else x

    return dict(repeat=repeat, presence=presence, temperature=temperature, top_k=top_k,
                top_p=top_p, min_p=min_p)


def run(case, order=ORDER, dtype=torch.float64):
    x = torch.tensor([case["logits"]], dtype=dtype)
    steps = processors(case)
    for name in order:
        x = steps[name](x)
    probs = torch.softmax(x.double(), dim=-1)[0]
    keep = torch.nonzero(probs > 0)[:, 0]
    return keep.tolist(), probs[keep].tolist()


def random_case(rng, index):
    vocab = int(rng.choice([1, 2, 7, 33, 100, 257]))
    kind = index % 4
    if kind == 0:  # many ties
        logits = rng.integers(-6, 7, vocab) / 2.0
    elif kind == 1:  # peaked
        logits = np.round(rng.normal(0, 4, vocab) * 64) / 64
    elif kind == 2:  # flat
        logits = np.round(rng.normal(0, 0.5, vocab) * 64) / 64
    else:  # any float32
        logits = rng.normal(0, 3, vocab).astype(np.float32).astype(np.float64)
    prompt = int(rng.integers(0, 12))
    history = rng.integers(0, vocab, prompt + int(rng.integers(0, 12))).tolist()
    pick = lambda *values: values[int(rng.integers(0, len(values)))]
    return {
        "logits": logits.tolist(),
        "history": history,
        "prompt_tokens": prompt,
        "temperature": float(pick(0.1, 0.6, 0.7, 1.0, 1.3, 3.0)),
        "top_k": int(pick(0, 0, 1, 2, 5, 20, 40, 1000)),
        "top_p": float(pick(0.0, 0.1, 0.3, 0.5, 0.8, 0.9, 0.95, 1.0, 1.0)),
        "min_p": float(pick(0.0, 0.0, 0.02, 0.05, 0.2, 0.5, 1.0)),
        "repeat_penalty": float(pick(1.0, 1.0, 1.1, 1.3, 0.8)),
        "presence_penalty": float(pick(0.0, 0.0, 0.5, 1.5, -0.5)),
    }


def at_a_boundary(case):
    """A probability so close to a threshold that rounding, not the rule, would decide."""
    x = torch.tensor([case["logits"]], dtype=torch.float64)
    steps = processors(case)
    for name in ORDER[:4]:
        x = steps[name](x)
    probs = torch.softmax(x, dim=-1)[0].sort()[0]
    near_p = (probs.cumsum(0) - (1 - case["top_p"])).abs().min() < 1e-9
    x = steps["top_p"](x)
    probs = torch.softmax(x, dim=-1)[0]
    ratio = probs / probs.max()
    near_m = (ratio - case["min_p"]).abs().min() < 1e-9 and 0 < case["min_p"] < 1
    return bool(near_p and 0 < case["top_p"] < 1) or bool(near_m)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("-o", "--output", default=str(pathlib.Path(__file__).parent.parent /
                        "engine/runtime/testdata/sampler_golden.json"))
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    wrong_orders = {
        "min_p before top_p": ["repeat", "presence", "temperature", "top_k", "min_p", "top_p"],
        "top_p before top_k": ["repeat", "presence", "temperature", "top_p", "top_k", "min_p"],
        "temperature last": ["repeat", "presence", "top_k", "top_p", "min_p", "temperature"],
        "presence before repeat": ["presence", "repeat", "temperature", "top_k", "top_p", "min_p"],
    }
    cases, caught, float32_agrees = [], {name: 0 for name in wrong_orders}, 0
    while len(cases) < args.count:
        case = random_case(rng, len(cases))
        if at_a_boundary(case):
            continue
        case["ids"], case["probabilities"] = run(case)
        for name, order in wrong_orders.items():
            caught[name] += run(case, order)[0] != case["ids"] or not np.allclose(
                run(case, order)[1], case["probabilities"], rtol=1e-9)
        float32_agrees += run(case, dtype=torch.float32)[0] == case["ids"]
        cases.append(case)
    document = {
        "made_by": "scripts/export_sampler_golden.py",
        "transformers": transformers.__version__,
        "torch": torch.__version__.split("+")[0],
        "seed": args.seed,
        "order": ORDER,
        "cases_that_tell_a_wrong_order": caught,
        "cases_where_float32_keeps_the_same_ids": float32_agrees,
        "cases": cases,
    }
    text = json.dumps(document, separators=(",", ":")).replace('{"logits"', '\n{"logits"')
    pathlib.Path(args.output).write_text(text + "\n")
    print({k: v for k, v in document.items() if k != "cases"}, len(text), "bytes")


if __name__ == "__main__":
    main()
