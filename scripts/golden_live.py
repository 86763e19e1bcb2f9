#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Ember with Hugging Face on random checkpoints of real layer shapes, on a GPU machine.

    scripts/golden_live.py --ember build/ember --out live.json
    scripts/golden_live.py --ember build/ember --out live.json --resume --shapes qwen3-8b

For each shape it writes a bf16 checkpoint with norm gains far from 1 and outlier channels. The truth
is Hugging Face's model in fp32 (TF32 off, eager attention) on those weights, in one pass. Ember and
Hugging Face then both run in bf16 and fp16, a prefill of several lengths and decode steps after it,
and their relative L2 errors to the truth are set side by side: logits of the prefill, logits of the
decode steps, and the residual stream after every layer. Ember passes when none of its errors is
above Hugging Face's own. For the prefill lengths of --plain the logits of Ember as users run it,
without --hidden and so with its graphs, must be the same bits.

The report is written after every comparison; --resume keeps the rows that an earlier run with the
same sizes and the same Ember left in --out. Exit code 0 when all pass, 1 when one does not, 3 when
--time-limit left some undone.

The vocabulary is cut (--vocab) so that the logits of thousands of positions stay small; every other
size is the preset's. Needs Python with torch, transformers, safetensors and numpy.
"""
import argparse
import copy
import datetime
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import torch
import transformers
from safetensors import safe_open
from transformers import DynamicCache, Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging

from golden_ref.hf import CACHE_ARG

TORCH = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32,
         "fp64": torch.float64}
SCHEMA = "ember.golden_live/2"
BLOCK = 256  # rows compared at once
STARTED = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


def presets(ember):
    rows = json.loads(subprocess.run([ember, "--list-presets"], check=True, capture_output=True).stdout)
    rows = rows["presets"] if isinstance(rows, dict) else rows
    return {row["name"]: row for row in rows}


def make_config(shape, vocab):
    return Qwen3Config(
        vocab_size=vocab, hidden_size=shape["hidden"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"],
        head_dim=shape["head_dim"], intermediate_size=shape["ffn"],
        tie_word_embeddings=shape["tied"],
        max_position_embeddings=40960, rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})


def randomise(model, generator):
    """Weights as a trained model has them at their worst: gains from 0.2 to 5, and one channel in 64
    whose values are eight times the others'."""
    for name, p in model.named_parameters():
        with torch.no_grad():
            if name.endswith("norm.weight"):
                p.copy_(torch.exp(0.5 * torch.randn(p.shape, generator=generator, device=p.device)))
                continue
            p.copy_(0.02 * torch.randn(p.shape, generator=generator, device=p.device))
            if "embed_tokens" in name:
                p.mul_(5.0)
                p[:, ::64] *= 8.0
            elif "down_proj" in name or "o_proj" in name:
                p[::64, :] *= 8.0


def build(config, dtype, attention, device, weights=None):
    """A model on the device, with the weights of another, each rounded to dtype."""
    config = copy.deepcopy(config)
    config._attn_implementation = attention
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen3ForCausalLM(config)
    finally:
        torch.set_default_dtype(torch.float32)
    inv_freq = model.model.rotary_emb.inv_freq
    if inv_freq.dtype != torch.float32 or model.config._attn_implementation != attention:
        raise SystemExit(f"transformers {transformers.__version__} built another model: inv_freq "
                         f"{inv_freq.dtype}, attention {model.config._attn_implementation}")
    if weights is not None:
        own = dict(model.named_parameters())
        if own.keys() != weights.keys():
            raise SystemExit(f"parameters differ: {sorted(own.keys() ^ weights.keys())}")
        with torch.no_grad():
            for name, p in own.items():
                p.copy_(weights[name])
    return model.eval()


def free(device):
    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


class Layers:
    """Collects the residual stream: the embedding, then the output of every layer."""

    def __init__(self, model):
        self.rows = [[] for _ in range(len(model.model.layers) + 1)]
        self.hooks = [model.model.embed_tokens.register_forward_hook(self.keep(0))]
        for i, layer in enumerate(model.model.layers):
            self.hooks.append(layer.register_forward_hook(self.keep(i + 1)))

    def keep(self, i):
        def hook(module, args, output):
            value = output[0] if isinstance(output, tuple) else output
            self.rows[i].append((value[0] if value.dim() == 3 else value).detach())
        return hook

    def result(self):
        for hook in self.hooks:
            hook.remove()
        return [torch.cat(rows) for rows in self.rows]


@torch.no_grad()
def run_hf(model, ids, prefill):
    """Logits (T, V) and the stream, a list of (T, D), on the model's device and in its dtype. Without
    a prefill length: all tokens in one pass."""
    layers, logits, cache = Layers(model), [], DynamicCache(config=model.config)
    tokens = torch.tensor([ids], device=model.device)
    cuts = [0, len(ids)] if prefill is None else [0] + list(range(prefill, len(ids) + 1))
    for begin, end in zip(cuts, cuts[1:]):
        out = model(tokens[:, begin:end], use_cache=True, **{CACHE_ARG: cache})
        logits.append(out.logits[0])
    return torch.cat(logits), layers.result()


def ember_command(args, folder, dtype, prefill, ids_file, out_file):
    return [args.ember, "logits", "-m", folder, "-f", ids_file, "-o", out_file, "-q", "--devices",
            args.devices, "--dtype", dtype, "--decode-from", str(prefill)]


def relative_l2(got, want):
    """In fp64, block by block, on the device of `want`."""
    if got.shape != want.shape:
        raise SystemExit(f"shapes differ: {tuple(got.shape)} and {tuple(want.shape)}")
    error = square = 0.0
    for i in range(0, len(want), BLOCK):
        g, w = got[i:i + BLOCK].double(), want[i:i + BLOCK].double()
        error = error + (g - w).square().sum()
        square = square + w.square().sum()
    ratio = float((error / square).sqrt())
    return ratio if ratio == ratio else float("inf")


def measure(logits, hidden, truth, prefill):
    """Errors by name; `hidden` yields the layers one by one."""
    errors = {"prefill": relative_l2(logits[:prefill], truth[0][:prefill])}
    if len(logits) > prefill:
        errors["decode"] = relative_l2(logits[prefill:], truth[0][prefill:])
    count = 0
    for i, (got, want) in enumerate(zip(hidden, truth[1])):
        errors[f"layer.{i}"] = relative_l2(got, want)
        count += 1
    if count != len(truth[1]):
        raise SystemExit(f"{count} hidden states, expected {len(truth[1])}")
    return errors


def measure_ember(args, folder, dtype, ids, prefill, truth):
    """Errors of Ember, whether the plain run gave the same logits (None: not asked), seconds."""
    paths = {n: os.path.join(args.work, n) for n in ("ids.json", "out.safetensors", "plain.safetensors")}
    with open(paths["ids.json"], "w") as f:
        json.dump(ids, f)
    began = time.monotonic()
    command = ember_command(args, folder, dtype, prefill, paths["ids.json"], paths["out.safetensors"])
    subprocess.run(command + ["--hidden"], check=True)
    seconds = time.monotonic() - began
    same = None
    try:
        with safe_open(paths["out.safetensors"], "pt") as f:
            logits = f.get_tensor("logits").to(args.torch_device)
            hidden = (f.get_tensor(f"hidden.{i}").to(args.torch_device)
                      for i in range(len(truth[1])))
            errors = measure(logits, hidden, truth, prefill)
        if prefill in args.plain:
            subprocess.run(ember_command(args, folder, dtype, prefill, paths["ids.json"],
                                         paths["plain.safetensors"]), check=True)
            with safe_open(paths["plain.safetensors"], "pt") as f:
                same = bool(torch.equal(f.get_tensor("logits").to(args.torch_device), logits))
    finally:
        for path in paths.values():
            if os.path.exists(path):
                os.remove(path)
    return errors, same, seconds


def compare(ember, hf):
    """Ratios of the errors; 0/0 is 1: the embedding is exact on both sides."""
    ratios = {}
    for name, error in ember.items():
        ratios[name] = error / hf[name] if hf[name] > 0 else (1.0 if error == 0 else float("inf"))
        if not ratios[name] >= 0:  # infinite on both sides
            ratios[name] = float("inf")
    worst = max(ratios, key=ratios.get)
    return ratios, worst, ratios[worst] <= 1.0


class Report:
    """Rows done so far, written after each."""

    def __init__(self, args, card):
        self.path = args.out
        version = subprocess.run([args.ember, "--version"], check=True, capture_output=True,
                                 text=True).stdout.split("\n")[0]
        self.head = {"schema": SCHEMA, "card": card, "ember": version, "torch": torch.__version__,
                     "transformers": transformers.__version__, "truth": args.truth,
                     "vocab": args.vocab, "decode": args.decode, "seed": args.seed,
                     "devices": args.devices, "date": datetime.date.today().isoformat()}
        self.rows = []
        if args.resume and self.path and os.path.exists(self.path):
            with open(self.path) as f:
                old = json.load(f)
            for key in ("schema", "card", "ember", "truth", "vocab", "decode", "seed", "devices"):
                if old.get(key) != self.head[key]:
                    raise SystemExit(f"--resume: {self.path} has {key} {old.get(key)!r}, this run "
                                     f"{self.head[key]!r}; give another --out")
            self.rows = old["rows"]
            say(f"{self.path}: {len(self.rows)} comparisons kept")

    def has(self, shape, dtype, prefill):
        return any((r["shape"], r["dtype"], r["prefill"]) == (shape, dtype, prefill)
                   for r in self.rows)

    def add(self, row):
        self.rows.append(row)
        if self.path:
            with open(self.path + ".tmp", "w") as f:
                json.dump({**self.head, "failed": sum(not r["passed"] for r in self.rows),
                           "rows": self.rows}, f, indent=1)
                f.write("\n")
            os.replace(self.path + ".tmp", self.path)


def make_row(name, dtype, prefill, decode, hf, ember, same):
    ratios, worst, passed = compare(ember, hf)
    layers = {k: v for k, v in ratios.items() if k.startswith("layer.") and k != "layer.0"}
    worst_layer = max(layers, key=layers.get)
    finite = all(e < float("inf") for e in hf.values())
    say(f"{name} {dtype} prefill {prefill}: logits {ember['prefill']:.3e} / {hf['prefill']:.3e} = "
        f"{ratios['prefill']:.3f}, decode {ember.get('decode', 0):.3e} / {hf.get('decode', 0):.3e} = "
        f"{ratios.get('decode', 0):.3f}, {worst_layer} {layers[worst_layer]:.3f}: "
        f"{'pass' if passed and same is not False else 'FAIL'}"
        + ("" if finite else "; Hugging Face's own values are not finite")
        + ("; the plain run gave other logits" if same is False else ""))
    text = lambda table: {k: v if v < float("inf") else "inf" for k, v in table.items()}
    return {"shape": name, "dtype": dtype, "prefill": prefill, "decode": decode,
            "passed": passed and same is not False, "worst": worst, "plain_equal": same,
            "hf_finite": finite, "ratios": text(ratios), "ember": text(ember), "hf": text(hf)}


def truths_of(args, config, weights, prompts):
    model = build(config, TORCH[args.truth], "eager", args.torch_device, weights)
    out = {}
    for prefill, ids in prompts.items():
        logits, hidden = run_hf(model, ids, None)
        out[prefill] = (logits.float(), [h.float() for h in hidden]) if args.truth == "fp32" else (
            logits, hidden)
    return out


def check_shape(args, name, shape, report):
    """False when time ran out."""
    todo = {d: [p for p in args.prefill if not report.has(name, d, p)] for d in args.dtypes}
    todo = {d: prefills for d, prefills in todo.items() if prefills}
    if not todo:
        return True
    device, config = args.torch_device, make_config(shape, args.vocab)
    torch.manual_seed(args.seed)
    master = build(config, torch.bfloat16, "sdpa", device)
    randomise(master, torch.Generator(device=device).manual_seed(args.seed))
    folder = os.path.join(args.work, name)
    master.save_pretrained(folder, safe_serialization=True)
    weights = {n: p.detach() for n, p in master.named_parameters()}
    size = sum(p.numel() for p in weights.values())
    say(f"{name}: {size / 1e9:.2f}e9 parameters written")
    prompts = {}
    for prefill in sorted({p for prefills in todo.values() for p in prefills}):
        generator = torch.Generator().manual_seed(args.seed + prefill)
        prompts[prefill] = torch.randint(args.vocab, (prefill + args.decode,),
                                         generator=generator).tolist()
    truths = truths_of(args, config, weights, prompts)
    free(device)
    say(f"{name}: truth in {args.truth} of {len(truths)} prompts")
    for dtype, prefills in todo.items():
        model, hf = build(config, TORCH[dtype], "sdpa", device, weights), {}
        for prefill in prefills:
            result = run_hf(model, prompts[prefill], prefill)
            hf[prefill] = measure(*result, truths[prefill], prefill)
            del result
        del model
        free(device)
        say(f"{name} {dtype}: Hugging Face done")
        for prefill in prefills:
            if args.time_limit and time.monotonic() - STARTED > args.time_limit:
                return False
            ember, same, seconds = measure_ember(args, folder, dtype, prompts[prefill], prefill,
                                                 truths[prefill])
            row = make_row(name, dtype, prefill, args.decode, hf[prefill], ember, same)
            report.add({**row, "ember_seconds": round(seconds, 2)})
            free(device)
    shutil.rmtree(folder)
    return True


def numbers(text):
    return [int(n) for n in text.split(",") if n]


def work_folder(shape, vocab, longest):
    """/dev/shm where it is large enough for a checkpoint and the hidden states, else the usual."""
    per_layer = shape["hidden"] * shape["head_dim"] * 2 * (shape["heads"] + shape["kv_heads"])
    weights = 2 * (shape["layers"] * (per_layer + 3 * shape["hidden"] * shape["ffn"])
                   + 2 * vocab * shape["hidden"])
    hidden = 4 * longest * ((shape["layers"] + 1) * shape["hidden"] + 2 * vocab)
    try:
        roomy = shutil.disk_usage("/dev/shm").free > 1.2 * (weights + hidden)
    except OSError:
        roomy = False
    return "/dev/shm" if roomy else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ember", required=True, help="the ember binary")
    parser.add_argument("--shapes", default="qwen3-0.6b,qwen3-1.7b,qwen3-4b,qwen3-8b",
                        type=lambda t: t.split(","))
    parser.add_argument("--dtypes", default="bf16,fp16", type=lambda t: t.split(","))
    parser.add_argument("--prefill", default="1,17,512,4097", type=numbers)
    parser.add_argument("--decode", default=64, type=int, help="steps after each prefill")
    parser.add_argument("--plain", default="17", type=numbers,
                        help="prefill lengths run once more without --hidden, bits compared")
    parser.add_argument("--vocab", default=8192, type=int)
    parser.add_argument("--devices", default="0", help="ember's devices")
    parser.add_argument("--torch-device", default="cuda")
    parser.add_argument("--truth", default="fp32", choices=("fp32", "fp64"),
                        help="fp64 to judge fp32 itself")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--out", help="a JSON report, written after every comparison")
    parser.add_argument("--resume", action="store_true", help="keep the rows that --out has already")
    parser.add_argument("--time-limit", type=float, help="start nothing after so many seconds")
    parser.add_argument("--work", help="folder for checkpoints; /dev/shm where it has the room")
    args = parser.parse_args()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    known = presets(args.ember)
    unknown = [name for name in args.shapes if name not in known]
    if unknown:
        raise SystemExit(f"--shapes: {unknown[0]} is none of {', '.join(known)}")
    card = torch.cuda.get_device_name() if args.torch_device.startswith("cuda") else "cpu"
    report = Report(args, card)
    base, finished = args.work, True
    for name in args.shapes:
        folder = base or work_folder(known[name], args.vocab, max(args.prefill) + args.decode)
        with tempfile.TemporaryDirectory(dir=folder) as args.work:
            finished = check_shape(args, name, known[name], report) and finished
        free(args.torch_device)
        if not finished:
            break
    failed = sum(not row["passed"] for row in report.rows)
    say(f"{len(report.rows)} comparisons on {card}, {failed} failed"
        + ("" if finished else "; the time limit left some undone: --resume"))
    return 1 if failed else 0 if finished else 3


if __name__ == "__main__":
    sys.exit(main())
