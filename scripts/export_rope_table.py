#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes rotary frequencies as transformers computes them, for engine/model/rope_test.cpp.

Needs torch and transformers, on an x86 machine with AVX-512 (torch.pow rounds otherwise elsewhere).
Each case holds a config.json text, the bits of the fp32 inverse frequencies, and the attention
factor.

    python3 scripts/export_rope_table.py --count 40 --seed 1 -o engine/model/testdata/rope.json
"""
import argparse
import json
import random

import torch
import transformers
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding

THETAS = [1e4, 1e5, 1e6, 5e6, 10000, 1000000]


def random_yarn(rng, max_position):
    rope = {
        rng.choice(["type", "rope_type"]): "yarn",
        "factor": rng.choice([2.0, 4.0, 4, 1.0, 8.5, round(rng.uniform(1, 40), 3)]),
    }
    if rng.random() < 0.8:
        rope["original_max_position_embeddings"] = rng.choice([2048, 4096, 32768, 40960, 1000])
    optional = {
        "attention_factor": lambda: rng.choice([1.0, 0.5, round(rng.uniform(0.1, 2), 4), None]),
        "beta_fast": lambda: rng.choice([32, 32.0, 16, round(rng.uniform(8, 64), 2), 0]),
        "beta_slow": lambda: rng.choice([1, 1.0, 2, round(rng.uniform(0.5, 4), 2)]),
        "truncate": lambda: rng.choice([True, False]),
    }
    for key, value in optional.items():
        if rng.random() < 0.3:
            rope[key] = value()
    if rng.random() < 0.2:
        rope["mscale"] = rng.choice([1.0, 0.707])
        rope["mscale_all_dim"] = rng.choice([1.0, 0.8])
    return rope


def random_case(rng):
    head_dim = rng.choice([64, 128, 128, 256, 32, 80, 96, 8])
    config = {
        "model_type": "qwen3",
        "num_hidden_layers": 1,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": head_dim,
        "max_position_embeddings": rng.choice([32768, 40960, 131072, 4096]),
    }
    theta = rng.choice(THETAS + [round(rng.uniform(500, 1e7), 2)] * 3)
    newer = rng.random() < 0.5
    rope = {}
    if rng.random() < 0.75:
        rope = random_yarn(rng, config["max_position_embeddings"])
    elif newer:
        rope = {"rope_type": "default"}
    if newer or (rope and rng.random() < 0.2):
        rope["rope_theta"] = theta
    elif rng.random() < 0.9:
        config["rope_theta"] = theta
    if rope:
        config["rope_parameters" if newer else "rope_scaling"] = rope
    return config


def reference(config):
    made = transformers.Qwen3Config(**json.loads(json.dumps(config)))
    rotary = Qwen3RotaryEmbedding(made)
    bits = rotary.inv_freq.contiguous().view(torch.int32).tolist()
    return {
        "config": json.dumps(config),
        "inv_freq_bits": [b & 0xFFFFFFFF for b in bits],
        "attention_factor": float(rotary.attention_scaling),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", required=True)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    rng = random.Random(args.seed)
    table = {
        "made_with": {
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability(),
        },
        "cases": [reference(random_case(rng)) for _ in range(args.count)],
    }
    with open(args.output, "w") as f:
        f.write("{\"made_with\": %s,\n \"cases\": [\n" % json.dumps(table["made_with"]))
        f.write(",\n".join("  " + json.dumps(c) for c in table["cases"]))
        f.write("\n]}\n")


if __name__ == "__main__":
    main()
