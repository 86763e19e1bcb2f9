#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs random Qwen3 models in Ember and in Hugging Face transformers, and compares every number.

    hf_diff.py --count 40 --seed 1 [--ember build/ember] [--devices cpu] [--keep DIR]

Each model is a random configuration (layers, heads, grouping, head size, tied or not, one file or
shards, YaRN, odd vocabulary, norm gains far from 1, bf16, fp16 or fp32 weights), written by
save_pretrained. Random ids of random length, past YaRN's original length at times, go through
`ember logits` whole, in chunks, token by token and in two stages. The logits and every hidden
state must lie within a relative L2 of 1e-5 of transformers in fp32; two stages must give the bits
of one. Exit code 0, or 1 when anything is further off.

Needs: torch, transformers, safetensors, numpy.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

from golden_ref import hf, metrics

LIMIT = 1e-5
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def random_config(rng):
    kv = int(rng.choice([1, 1, 2, 3, 4]))
    groups = int(rng.integers(1, 9))
    config = {
        "num_hidden_layers": int(rng.integers(1, 5)),
        "num_key_value_heads": kv,
        "num_attention_heads": kv * groups,
        "head_dim": int(rng.choice([64, 128])),
        "hidden_size": int(rng.integers(16, 200)) * 2,
        "intermediate_size": int(rng.integers(16, 300)) * 2,
        "vocab_size": int(rng.integers(50, 1500)) * 2 + 1,
        "tie_word_embeddings": bool(rng.random() < 0.5),
        "rms_norm_eps": float(rng.choice([1e-6, 1e-5])),
        "max_position_embeddings": 512,
    }
    rope = {"rope_type": "default", "rope_theta": float(rng.choice([1e4, 5e4, 1e6, 5e6]))}
    if rng.random() < 0.4:
        original = int(rng.choice([32, 64, 100, 128]))
        factor = float(rng.choice([1.5, 2.0, 4.0, 8.0]))
        rope.update(rope_type="yarn", factor=factor, original_max_position_embeddings=original)
        if rng.random() < 0.3:
            rope["attention_factor"] = float(rng.uniform(0.8, 1.3))
        if rng.random() < 0.3:
            rope.update(beta_fast=float(rng.choice([16.0, 32.0, 48.0])),
                        beta_slow=float(rng.choice([0.5, 1.0, 2.0])))
        config["max_position_embeddings"] = int(original * factor)
    config["rope_parameters"] = rope
    return config


def random_length(rng, config):
    limit = config["max_position_embeddings"]
    original = config["rope_parameters"].get("original_max_position_embeddings")
    if original and rng.random() < 0.7:
        return int(rng.integers(min(original, limit - 1), limit))  # past the original length
    return int(rng.choice([1, 2, 15, 16, 17, 31, 33, 64, 65, int(rng.integers(3, min(limit, 300)))]))


def write_model(folder, settings, rng, seed):
    """A checkpoint whose numbers make mistakes visible; returns its description."""
    torch.manual_seed(seed)
    dtype = str(rng.choice(list(DTYPES)))
    model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**settings))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1:
                spread = float(rng.choice([0.3, 0.6]))
                p.copy_(torch.exp(spread * torch.randn(p.shape)) * float(rng.uniform(0.5, 1.8)))
                p[torch.rand(p.shape) < 0.1] *= -1
            else:
                p.copy_(torch.randn(p.shape) * float(rng.uniform(0.5, 1.5)) / p.shape[1] ** 0.5)
    model = model.to(DTYPES[dtype])
    sharded = bool(rng.random() < 0.4)
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    model.save_pretrained(folder, max_shard_size=max(20_000, size // 3) if sharded else "5GB")
    shards = len(list(folder.glob("*.safetensors")))
    keys = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads",
            "head_dim", "intermediate_size", "vocab_size")
    text = "L{} D{} H{} K{} E{} F{} V{}".format(*(settings[k] for k in keys))
    rope = settings["rope_parameters"]
    return (f"{text} {dtype} {'tied' if settings['tie_word_embeddings'] else 'untied'}"
            f"{f' {shards} shards' if shards > 1 else ''}"
            + (f" yarn {rope['factor']}x{rope['original_max_position_embeddings']}"
               if rope["rope_type"] == "yarn" else ""))


def ember_logits(ember, folder, ids, devices, extra):
    """The tensors that `ember logits` writes."""
    out = folder / "out.safetensors"
    out.unlink(missing_ok=True)
    (folder / "ids.json").write_text(json.dumps(ids))
    command = [ember, "logits", "-m", str(folder), "-f", str(folder / "ids.json"), "-o", str(out),
               "--hidden", "--devices", devices] + extra
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return load_file(str(out))


def runs_of(rng, tokens, layers, device):
    """Name, devices and flags of each way to feed the ids."""
    chunk = int(rng.integers(1, tokens + 1))
    first = 1 if tokens < 80 else tokens - int(rng.integers(20, 60))
    yield "whole", device, []
    yield "chunked", device, ["--chunk", str(chunk)]
    if tokens > 1:
        yield "token by token", device, ["--decode-from", str(first)]
    if layers > 1:
        yield "two stages", f"{device},{device}", []
        yield "two stages, chunked", f"{device},{device}", ["--chunk", str(chunk)]


class Worst:
    """The largest figure of each kind, and where it was."""

    def __init__(self):
        self.by_name = {}

    def add(self, name, value, where):
        if not value <= self.by_name.get(name, (-1.0, ""))[0]:  # a NaN counts as largest
            self.by_name[name] = (value, where)


def compare(got, logits, residual, run, where, worst):
    """Adds every figure of one run; returns what is wrong with it."""
    problems = []
    expected = {"logits"} | {f"hidden.{i}" for i in range(len(residual))}
    if set(got) != expected:
        problems.append(f"tensors {sorted(got)}, expected {sorted(expected)}")
        return problems
    for name in sorted(expected):
        truth = logits if name == "logits" else residual[int(name[7:])]
        mine = got[name].astype(np.float64)
        if mine.shape != truth.shape:
            problems.append(f"{name} is {mine.shape}, expected {truth.shape}")
            continue
        error = metrics.rel_l2(mine, truth)
        worst.add(f"{run}, {'logits' if name == 'logits' else 'hidden'}", error, where)
        if not error <= LIMIT:
            problems.append(f"{name} is off by {error:.2e}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ember", default="build/ember")
    parser.add_argument("--devices", default="cpu", help="the device; named twice for two stages")
    parser.add_argument("--keep", type=pathlib.Path, help="leave failing models here")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    hf.exact_flags()
    worst, failures, runs, start = Worst(), 0, 0, time.time()
    for i in range(args.count):
        rng = np.random.default_rng([args.seed, i])
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            settings = random_config(rng)
            where = write_model(folder, settings, rng, args.seed * 1000 + i)
            tokens = random_length(rng, settings)
            where = f"model {i}: {where}, {tokens} tokens"
            ids = rng.integers(0, settings["vocab_size"], tokens).tolist()
            logits, residual = hf.run(hf.load(folder, torch.float32), ids)
            with hf.double_precision():
                exact, _ = hf.run(hf.load(folder, torch.float64), ids)
            worst.add("transformers fp32 against fp64", metrics.rel_l2(logits, exact), where)
            problems, seen = [], {}
            for run, devices, extra in runs_of(rng, tokens, settings["num_hidden_layers"],
                                               args.devices):
                got = seen[run] = ember_logits(args.ember, folder, ids, devices, extra)
                runs += 1
                if run == "whole":
                    worst.add("Ember whole against fp64", metrics.rel_l2(
                        got["logits"].astype(np.float64), exact), where)
                problems += [f"{run}: {p}" for p in
                             compare(got, logits, residual, run, where, worst)]
            for two, one in (("two stages", "whole"), ("two stages, chunked", "chunked")):
                for name in seen.get(two, {}):
                    if seen[two][name].tobytes() != seen[one][name].tobytes():
                        problems.append(f"{two}: {name} is not bit-equal to {one}")
            print(f"{'FAILED' if problems else 'ok':7}{where}", flush=True)
            for problem in problems:
                print(f"        {problem}", flush=True)
            failures += bool(problems)
            if problems and args.keep:
                shutil.copytree(folder, args.keep / f"model_{args.seed}_{i}", dirs_exist_ok=True)
    print(f"\nworst relative L2 (limit {LIMIT:.0e}):")
    for name, (value, where) in worst.by_name.items():
        print(f"  {name:32}{value:.2e}  {where}")
    print(f"{args.count} models, {runs} runs, {failures} failed, {time.time() - start:.0f} s: "
          + ("PASS" if failures == 0 and runs > 0 else "FAILED"))
    sys.exit(0 if failures == 0 and runs > 0 else 1)


if __name__ == "__main__":
    main()
