#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares Ember with Hugging Face on random checkpoints of real layer shapes, on a GPU machine.

    scripts/golden_live.py --ember build/ember [--shapes qwen3-0.6b,qwen3-4b] [--out live.json]

For each shape it writes a bf16 checkpoint with norm gains far from 1 and outlier channels. The truth
is Hugging Face's model in fp32 (TF32 off, eager attention) on those weights. Ember and Hugging Face
then both run in bf16 and fp16, a prefill of several lengths and decode steps after it, and their
relative L2 errors to the truth are set side by side: logits of the prefill, logits of the decode
steps, and the residual stream after every layer. Ember passes when none of its errors is above
Hugging Face's own. Exit code 0 when all pass, 1 when one does not.

The vocabulary is cut (--vocab) so that the logits of thousands of positions stay small; every other
size is the preset's. Needs Python with torch, transformers, safetensors and numpy.
"""
import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import torch
from safetensors import safe_open
from transformers import DynamicCache, Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging

TORCH = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


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


def write_checkpoint(config, folder, device, seed):
    torch.manual_seed(seed)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        model = Qwen3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    randomise(model, torch.Generator(device=device).manual_seed(seed))
    model.save_pretrained(folder, safe_serialization=True)


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
            self.rows[i].append(value[0].float().cpu() if value.dim() == 3 else value.float().cpu())
        return hook

    def result(self):
        for hook in self.hooks:
            hook.remove()
        return [torch.cat(rows) for rows in self.rows]


def run_hf(folder, dtype, attention, ids, prefill, device, whole=False):
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)
    model.to(device).eval()
    layers, logits, cache = Layers(model), [], DynamicCache()
    tokens = torch.tensor([ids], device=device)
    cuts = [(0, len(ids))] if whole else [(0, prefill)] + [(i, i + 1) for i in range(prefill, len(ids))]
    with torch.no_grad():
        for begin, end in cuts:
            out = model(tokens[:, begin:end], past_key_values=cache, use_cache=True)
            logits.append(out.logits[0].float().cpu())
    hidden = layers.result()
    del model, cache, out
    gc.collect()
    torch.cuda.empty_cache()
    return torch.cat(logits), hidden


def run_ember(args, folder, dtype, ids, prefill):
    ids_file, out_file = os.path.join(args.work, "ids.json"), os.path.join(args.work, "out.safetensors")
    with open(ids_file, "w") as f:
        json.dump(ids, f)
    command = [args.ember, "logits", "-m", folder, "-f", ids_file, "-o", out_file, "--hidden", "-q",
               "--devices", args.devices, "--dtype", dtype, "--decode-from", str(prefill)]
    subprocess.run(command, check=True)
    with safe_open(out_file, "pt") as f:
        logits = f.get_tensor("logits")
        names = sorted((n for n in f.keys() if n.startswith("hidden.")), key=lambda n: int(n[7:]))
        hidden = [f.get_tensor(n) for n in names]
    os.remove(out_file)
    return logits, hidden


def relative_l2(got, want):
    if got.shape != want.shape:
        raise SystemExit(f"shapes differ: {tuple(got.shape)} and {tuple(want.shape)}")
    error = (got.double() - want.double()).norm() / want.double().norm()
    return float(error) if bool(torch.isfinite(got).all()) else float("inf")


def measure(result, truth, prefill):
    logits, hidden = result
    errors = {"prefill": relative_l2(logits[:prefill], truth[0][:prefill])}
    if len(logits) > prefill:
        errors["decode"] = relative_l2(logits[prefill:], truth[0][prefill:])
    for i, (got, want) in enumerate(zip(hidden, truth[1])):
        errors[f"layer.{i}"] = relative_l2(got, want)
    return errors


def compare(ember, hf):
    """Ratios of the errors; the embedding is exact on both sides."""
    ratios = {}
    for name, error in ember.items():
        ratios[name] = error / hf[name] if hf[name] > 0 else (1.0 if error == 0 else float("inf"))
    worst = max(ratios, key=ratios.get)
    return ratios, worst, ratios[worst] <= 1.0


def check_shape(args, name, shape):
    folder = os.path.join(args.work, name)
    write_checkpoint(make_config(shape, args.vocab), folder, args.torch_device, args.seed)
    gc.collect()
    if args.torch_device.startswith("cuda"):
        torch.cuda.empty_cache()
    rows = []
    for prefill in args.prefill:
        generator = torch.Generator().manual_seed(args.seed + prefill)
        ids = torch.randint(args.vocab, (prefill + args.decode,), generator=generator).tolist()
        truth = run_hf(folder, torch.float32, "eager", ids, prefill, args.torch_device, whole=True)
        for dtype in args.dtypes:
            began = time.time()
            hf = measure(run_hf(folder, TORCH[dtype], "sdpa", ids, prefill, args.torch_device), truth,
                         prefill)
            ember = measure(run_ember(args, folder, dtype, ids, prefill), truth, prefill)
            ratios, worst, passed = compare(ember, hf)
            rows.append({"shape": name, "dtype": dtype, "prefill": prefill, "decode": args.decode,
                         "passed": passed, "worst": worst, "ratios": ratios, "ember": ember, "hf": hf})
            print(f"{name} {dtype} prefill {prefill}: logits {ember['prefill']:.3e} against "
                  f"{hf['prefill']:.3e}, decode {ember.get('decode', 0):.3e} against "
                  f"{hf.get('decode', 0):.3e}, worst ratio {ratios[worst]:.3f} at {worst}: "
                  f"{'pass' if passed else 'FAIL'} ({time.time() - began:.1f} s)", flush=True)
    shutil.rmtree(folder)
    return rows


def numbers(text):
    return [int(n) for n in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ember", required=True, help="the ember binary")
    parser.add_argument("--shapes", default="qwen3-0.6b,qwen3-1.7b,qwen3-4b,qwen3-8b")
    parser.add_argument("--dtypes", default="bf16,fp16", type=lambda t: t.split(","))
    parser.add_argument("--prefill", default="1,17,512,4097", type=numbers)
    parser.add_argument("--decode", default=64, type=int, help="steps after each prefill")
    parser.add_argument("--vocab", default=8192, type=int)
    parser.add_argument("--devices", default="0", help="ember's devices")
    parser.add_argument("--torch-device", default="cuda")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--out", help="a JSON report")
    args = parser.parse_args()
    logging.disable_progress_bar()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    known = presets(args.ember)
    rows = []
    with tempfile.TemporaryDirectory() as work:
        args.work = work
        for name in args.shapes.split(","):
            if name not in known:
                raise SystemExit(f"--shapes: {name} is none of {', '.join(known)}")
            rows += check_shape(args, name, known[name])
    card = torch.cuda.get_device_name() if args.torch_device.startswith("cuda") else "cpu"
    failed = sum(not row["passed"] for row in rows)
    if args.out:
        with open(args.out, "w") as f:
            json.dump({"schema": "ember.golden_live/1", "card": card, "torch": torch.__version__,
                       "vocab": args.vocab, "rows": rows}, f, indent=1)
    print(f"{len(rows)} comparisons on {card}, {failed} above Hugging Face's own error")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
