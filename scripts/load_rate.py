#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how fast Ember loads a checkpoint onto a GPU, beside what the machine could do.

    scripts/load_rate.py [--ember build/ember] [--preset qwen3-14b] [--dir DIR] [--devices 0]
                         [--runs 3] [--require 0.8] [--json FILE] [--keep] [-- EMBER OPTIONS]

Writes a checkpoint of random bf16 weights with the shape of a preset (`ember --list-presets`) in
shards, unless DIR holds one already, and measures in turn
  - the sequential read rate of its files from the page cache into memory, by several threads;
  - the rate of copies from pinned memory to the device, through the CUDA driver;
  - the rate that `ember --json` reports for its load, which begins with the first allocation for
    weights and ends when the last copy is done, followed by 16 greedy tokens.
Each is the best of several runs. Prints one JSON object: all figures, and `ratio`, Ember's rate over
the smaller of the other two. Exit code 0 when the ratio is at least --require, 1 when it is less or
when two runs gave different tokens, 2 for a wrong call, 3 when there is nothing to compare (no GPU).

qwen3-14b takes 29.5 GB of DIR, and as much memory for the page cache. Needs the Python package numpy.
"""
import argparse
import concurrent.futures
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
PIECE = 16 << 20
THREADS = len(os.sched_getaffinity(0))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ember", default="build/ember", help="the binary (default build/ember)")
    parser.add_argument("--preset", default="qwen3-14b", help="as `ember --list-presets` names it")
    parser.add_argument("--dir", help="where the checkpoint goes, or is (default: a temporary folder)")
    parser.add_argument("--devices", default="0")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--shard-gb", type=float, default=5.0)
    parser.add_argument("--require", type=float, default=0.8, help="least ratio that passes")
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--keep", action="store_true", help="do not delete a temporary folder")
    parser.add_argument("options", nargs="*", help="options for ember, after --")
    args = parser.parse_args()
    if args.runs < 1 or args.shard_gb <= 0:
        parser.error("--runs takes 1 or more, --shard-gb more than 0")
    return args


def tensors(shape):
    """(name, shape) of every tensor, in the order of the data flow."""
    hidden, ffn, head = shape["hidden"], shape["ffn"], shape["head_dim"]
    q, kv = shape["heads"] * head, shape["kv_heads"] * head
    yield "model.embed_tokens.weight", (shape["vocab"], hidden)
    for layer in range(shape["layers"]):
        p = "model.layers.%d." % layer
        yield p + "input_layernorm.weight", (hidden,)
        yield p + "self_attn.q_proj.weight", (q, hidden)
        yield p + "self_attn.k_proj.weight", (kv, hidden)
        yield p + "self_attn.v_proj.weight", (kv, hidden)
        yield p + "self_attn.q_norm.weight", (head,)
        yield p + "self_attn.k_norm.weight", (head,)
        yield p + "self_attn.o_proj.weight", (hidden, q)
        yield p + "post_attention_layernorm.weight", (hidden,)
        yield p + "mlp.gate_proj.weight", (ffn, hidden)
        yield p + "mlp.up_proj.weight", (ffn, hidden)
        yield p + "mlp.down_proj.weight", (hidden, ffn)
    yield "model.norm.weight", (hidden,)
    if not shape["tied"]:
        yield "lm_head.weight", (shape["vocab"], hidden)


def bf16(values):
    return (values.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)


def write_shard(path, rows, block, gains):
    """One safetensors file. Matrices are cut from one block of random numbers at changing offsets."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in rows:
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb", buffering=0) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for number, (name, shape) in enumerate(rows):
            left = int(numpy.prod(shape))
            source = gains if len(shape) == 1 else block
            start = number * 1009 * 64 % (len(source) // 2)
            while left > 0:
                part = source[start:start + left]
                file.write(part.data)
                left -= len(part)
                start = 0
    return at


def write_model(folder, shape, shard_bytes):
    folder.mkdir(parents=True, exist_ok=True)
    rng = numpy.random.default_rng(1)
    block = bf16(0.02 * rng.standard_normal(24 << 20, dtype=numpy.float32))
    gains = bf16(1 + 0.1 * rng.standard_normal(1 << 20, dtype=numpy.float32))
    shards, filled = [[]], 0
    for name, dims in tensors(shape):
        size = 2 * int(numpy.prod(dims))
        if filled and filled + size > shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append((name, dims))
        filled += size
    names = ["model-%05d-of-%05d.safetensors" % (i + 1, len(shards)) for i in range(len(shards))]
    with concurrent.futures.ThreadPoolExecutor(min(8, THREADS)) as pool:
        sizes = list(pool.map(lambda s: write_shard(folder / s[0], s[1], block, gains),
                              zip(names, shards)))
    index = {"metadata": {"total_size": sum(sizes)},
             "weight_map": {n: f for f, rows in zip(names, shards) for n, _ in rows}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = json.loads((ROOT / "golden/models/tiny/config.json").read_text())
    config.update(hidden_size=shape["hidden"], intermediate_size=shape["ffn"],
                  num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
                  num_key_value_heads=shape["kv_heads"], head_dim=shape["head_dim"],
                  vocab_size=shape["vocab"], tie_word_embeddings=shape["tied"],
                  layer_types=["full_attention"] * shape["layers"],
                  max_position_embeddings=40960)
    write_tokenizer(folder, shape["vocab"])
    (folder / "config.json").write_text(json.dumps(config, indent=1))  # last: the folder is whole


def write_tokenizer(folder, vocab):
    """That of the tiny model, with a name for every further id, so that any answer is text.

    The ids of the vocabulary have no hole, so the added tokens move to the end."""
    tokenizer = json.loads((ROOT / "golden/models/tiny/tokenizer.json").read_text())
    known, added = tokenizer["model"]["vocab"], tokenizer["added_tokens"]
    known.update({"filler%d" % i: i for i in range(len(known), vocab - len(added))})
    for place, token in enumerate(added):
        token["id"] = vocab - len(added) + place
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def read_rate(files):
    """Bytes a second of all files read once, in pieces, by one thread a CPU; the cache is warm."""
    pieces = [(f, at) for f in files for at in range(0, f.stat().st_size, PIECE)]
    opened = {f: os.open(f, os.O_RDONLY) for f in files}
    buffers = [bytearray(PIECE) for _ in range(THREADS)]

    def work(thread):
        total = 0
        for file, at in pieces[thread::THREADS]:
            total += os.preadv(opened[file], [buffers[thread]], at)
        return total

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        start = time.perf_counter()
        total = sum(pool.map(work, range(THREADS)))
        seconds = time.perf_counter() - start
    for descriptor in opened.values():
        os.close(descriptor)
    if total != sum(f.stat().st_size for f in files):
        sys.exit("load_rate: short read")
    return total / seconds


def pinned_rate(device, runs):
    """Bytes a second from pinned memory to a device, or None without a driver or a GPU."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None

    def call(name, *arguments):
        code = getattr(cuda, name)(*arguments)
        if code != 0:
            raise RuntimeError("%s gave %d" % (name, code))

    size, copies = 256 << 20, 8
    handle, context = ctypes.c_int(), ctypes.c_void_p()
    host, target = ctypes.c_void_p(), ctypes.c_uint64()
    try:
        call("cuInit", 0)
        call("cuDeviceGet", ctypes.byref(handle), device)
    except RuntimeError:
        return None
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    call("cuCtxSetCurrent", context)
    call("cuMemHostAlloc", ctypes.byref(host), ctypes.c_size_t(size), 0)
    call("cuMemAlloc_v2", ctypes.byref(target), ctypes.c_size_t(size))
    ctypes.memset(host, 1, size)
    best = 0.0
    for _ in range(runs + 1):
        start = time.perf_counter()
        for _ in range(copies):
            call("cuMemcpyHtoDAsync_v2", target, host, ctypes.c_size_t(size), None)
        call("cuCtxSynchronize")
        best = max(best, copies * size / (time.perf_counter() - start))
    call("cuMemFree_v2", target)
    call("cuMemFreeHost", host)
    call("cuDevicePrimaryCtxRelease_v2", handle)
    return best


def load_once(args, folder, ids, report):
    command = [args.ember, "-m", str(folder), "--devices", args.devices, "--tokens-in", str(ids),
               "-n", "16", "--temp", "0", "--ignore-eos", "--stats", "none", "--json", str(report)]
    subprocess.run(command + args.options, check=True, stdout=subprocess.DEVNULL)
    return json.loads(report.read_text())


def measure(args, folder):
    files = sorted(folder.glob("*.safetensors"))
    result = {"schema": "ember.load_rate/1", "preset": args.preset, "devices": args.devices,
              "bytes": sum(f.stat().st_size for f in files), "files": len(files),
              "threads": THREADS}
    reads = [read_rate(files) for _ in range(args.runs + 1)]  # the first fills the cache
    result["read_gb_s"] = max(reads[1:]) / 1e9
    first = args.devices.split(",")[0]
    pinned = pinned_rate(int(first), args.runs) if first.isdigit() else None
    result["pinned_gb_s"] = pinned and pinned / 1e9
    with tempfile.TemporaryDirectory() as scratch:
        ids, report = pathlib.Path(scratch, "ids.json"), pathlib.Path(scratch, "run.json")
        ids.write_text(json.dumps([i * 37 % 1000 for i in range(1, 33)]))
        runs = [load_once(args, folder, ids, report) for _ in range(args.runs)]
    result["loads"] = [dict(r["load"], load_seconds=r["timing"]["load_seconds"]) for r in runs]
    result["tokens"] = runs[0]["ids"]
    result["same_tokens"] = all(r["ids"] == runs[0]["ids"] and len(r["ids"]) == 16 for r in runs)
    rates = [r["load"]["gb_s"] for r in runs]
    result["load_gb_s"] = max(rates) if all(rates) else None
    result["ratio"] = None
    if result["load_gb_s"] and pinned:
        result["ratio"] = result["load_gb_s"] / min(result["read_gb_s"], result["pinned_gb_s"])
    return result


def main():
    args = parse_arguments()
    presets = json.loads(subprocess.run([args.ember, "--list-presets"], check=True,
                                        stdout=subprocess.PIPE).stdout)
    shape = next((p for p in presets if p["name"] == args.preset), None)
    if shape is None:
        sys.exit("load_rate: no preset %s" % args.preset)
    folder = pathlib.Path(args.dir or tempfile.mkdtemp(prefix="ember_load_"))
    try:
        if not (folder / "config.json").exists():
            start = time.perf_counter()
            write_model(folder, shape, int(args.shard_gb * 1e9))
            print("wrote %s in %.0f s" % (folder, time.perf_counter() - start), file=sys.stderr)
        result = measure(args, folder)
    finally:
        if not args.dir and not args.keep:
            shutil.rmtree(folder)
    text = json.dumps(result, indent=1)
    print(text)
    if args.json:
        pathlib.Path(args.json).write_text(text + "\n")
    if not result["same_tokens"]:
        return 1
    if result["ratio"] is None:
        return 3
    return 0 if result["ratio"] >= args.require else 1


if __name__ == "__main__":
    sys.exit(main())
