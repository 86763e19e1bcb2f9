#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Ember and Hugging Face transformers side by side on the CPU: prefill and decode.

    scripts/bench_vs_hf.py [--ember build/ember] [--preset qwen3-0.6b] [--prompt 512] [--decode 32]
                           [--threads 2] [--rounds 5] [--json FILE]

Both get the same shapes (random weights), the same prompt of random ids, the same cores (the process
is pinned to as many CPUs as --threads and its children inherit that) and take turns in one run, Ember
first in one round and transformers first in the next, so that a change of the machine's pace meets
both. Transformers computes in fp32 with SDPA attention and its own cache, and like Ember makes the
logits of the last position only. Ember keeps 16-bit weights as they are (the default of random:) and
is measured with fp32 weights too; it computes in fp32 either way. Reported are medians with the least
and the largest value, and the ratio of medians. No process start, no model load, and no first token
of a decode is part of a figure; each engine does one unmeasured round first.

Needs Python packages torch and transformers (4.51 or newer). Exit code 0 when every Ember figure is
at least --require times the figure of transformers (default 0: always), 1 otherwise, 2 for a wrong
call.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from peers.host import cpu_name, pin, prompt_ids


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ember", default="build/ember", help="the binary (default build/ember)")
    parser.add_argument("--preset", default="qwen3-0.6b", help="as `ember --list-presets` names it")
    parser.add_argument("--weights", default="bf16,fp32", help="Ember's weight types to measure")
    parser.add_argument("--prompt", type=int, default=512, help="prompt tokens")
    parser.add_argument("--decode", type=int, default=32, help="tokens decoded after the prompt")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds")
    parser.add_argument("--require", type=float, default=0.0, help="least ratio that passes")
    parser.add_argument("--json", help="write all figures here")
    args = parser.parse_args()
    if min(args.prompt, args.threads, args.rounds) < 1 or args.decode < 2:
        parser.error("--prompt, --threads, --rounds take 1 or more, --decode 2 or more")
    return args


def preset_shape(ember, name):
    text = subprocess.run([ember, "--list-presets"], stdout=subprocess.PIPE, check=True).stdout
    for row in json.loads(text):
        if row["name"] == name:
            return row
    sys.exit("bench_vs_hf: no preset %s in `ember --list-presets`" % name)


class HuggingFace:
    label = "transformers fp32"

    def __init__(self, shape, threads):
        import torch
        from peers import hf
        torch.set_num_threads(threads)
        self.version = hf.version()
        self.model = hf.HuggingFace(shape, "fp32")

    def measure(self, ids, decode):
        """Seconds of the prompt, and seconds of decode - 1 tokens after the first."""
        return self.model.measure(ids, decode - 1)[:2]


class Ember:
    def __init__(self, binary, preset, weights, threads):
        self.label = "ember, %s weights" % weights
        self.command = [binary, "-m", "random:%s:%s" % (preset, weights), "--devices", "cpu",
                        "--threads", str(threads), "--sampling", "greedy", "--ignore-eos",
                        "--stats", "none"]

    def measure(self, ids, decode):
        with tempfile.TemporaryDirectory() as folder:
            prompt, report = os.path.join(folder, "ids.json"), os.path.join(folder, "run.json")
            with open(prompt, "w") as f:
                json.dump(ids, f)
            subprocess.run(self.command + ["-c", str(len(ids) + decode), "-n", str(decode),
                                           "--tokens-in", prompt, "--json", report],
                           stdout=subprocess.DEVNULL, check=True)
            with open(report) as f:
                run = json.load(f)
        if run["prompt_tokens"] != len(ids) or run["generated_tokens"] != decode:
            sys.exit("bench_vs_hf: ember read %d and wrote %d tokens, not %d and %d" %
                     (run["prompt_tokens"], run["generated_tokens"], len(ids), decode))
        return run["timing"]["prefill_seconds"], run["timing"]["decode_seconds"]


def main():
    args = parse_arguments()
    try:
        pin(args.threads)
    except ValueError as e:
        sys.exit("bench_vs_hf: %s" % e)
    shape = preset_shape(args.ember, args.preset)
    ids = prompt_ids(args.prompt, shape["vocab"])
    reference = HuggingFace(shape, args.threads)
    engines = [reference] + [Ember(args.ember, args.preset, w, args.threads)
                             for w in args.weights.split(",")]
    rates = {e.label: {"prefill": [], "decode": []} for e in engines}
    for number in range(args.rounds + 1):
        order = engines if number % 2 else engines[::-1]
        for engine in order:
            prefill, decode = engine.measure(ids, args.decode)
            if number == 0:
                continue  # warm-up: page cache, allocator, thread pools
            rates[engine.label]["prefill"].append(args.prompt / prefill)
            rates[engine.label]["decode"].append((args.decode - 1) / decode)
        print("round %d of %d" % (number, args.rounds), file=sys.stderr)

    version = subprocess.run([args.ember, "--version"], stdout=subprocess.PIPE).stdout.decode()
    print("%s, %d threads, %s; prompt %d, decode %d after it, %d rounds in turn" %
          (cpu_name(), args.threads, args.preset, args.prompt, args.decode, args.rounds))
    print("%s\n%s\n" % (version.strip().replace("\n", "; "), reference.version))
    print("| engine | phase | tokens/s, median | least | largest | ratio to transformers |")
    print("|---|---|---:|---:|---:|---:|")
    worst = float("inf")
    for engine in engines:
        for phase in ("prefill", "decode"):
            values = rates[engine.label][phase]
            ratio = statistics.median(values) / statistics.median(rates[reference.label][phase])
            if engine is not reference:
                worst = min(worst, ratio)
            print("| %s | %s | %.2f | %.2f | %.2f | %.2f |" % (
                engine.label, phase, statistics.median(values), min(values), max(values), ratio))
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"cpu": cpu_name(), "threads": args.threads, "preset": args.preset,
                       "prompt": args.prompt, "decode": args.decode, "ember": version.strip(),
                       "reference": reference.version, "tok_s": rates}, f, indent=2)
            f.write("\n")
    return 0 if worst >= args.require else 1


if __name__ == "__main__":
    sys.exit(main())
