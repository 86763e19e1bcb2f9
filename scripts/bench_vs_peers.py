#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Ember beside llama.cpp and Hugging Face transformers in one run, all as a share of what the device
can do at most.

    scripts/bench_vs_peers.sh --ember build/ember -m random:qwen3-0.6b --devices 0 \\
        --llama-bench llama.cpp/build/bin/llama-bench --gguf Qwen3-0.6B-F16.gguf \\
        --transformers python3 --compiled [-p 128 -n 256] [--json peers.json]

Engines take turns, in an order that changes every round, each with repetitions that are not counted before those
that are. A repetition is a prompt of -p tokens and -n tokens decoded after it; its time for one token is one figure.
No process start, no load and no compiling is in a figure. Ceilings (read bandwidth, rate of matrix products),
flops of the prompt and bytes of a step are those that `ember bench e2e` measures and states in its turns; every
engine is held against the same. transformers gets random weights of the model's shape and keeps them on the device
for the whole run, so the device needs room for two models. What a GGUF file holds must be the same shape.

A peer that is not given is named as not measured. Exit code 0 when every engine given was measured, 1 when one was
not, 2 for a wrong call or no peer at all, 5 without the device; where Ember fails, Ember's code."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

from peers.comparison import PHASES, Comparison
from peers.ember import ROOT, Ember, shape_of
from peers.engine import EngineFailed, run
from peers.hf_process import HfProcess, HuggingFacePeer
from peers.host import commit, cpu_name, pin
from peers.llama_bench import LlamaBench

SCHEMA = "ember.peers/1"
HELP = {"llama.cpp": "--llama-bench BINARY --gguf FILE", "transformers": "--transformers PYTHON",
        "transformers compiled": "--transformers PYTHON --compiled"}


def stop(code, text):
    print("scripts/bench_vs_peers.sh: " + text, file=sys.stderr)
    sys.exit(code)


def parse():
    p = argparse.ArgumentParser(prog="scripts/bench_vs_peers.sh", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ember", default="build/ember", help="the binary (default build/ember)")
    p.add_argument("-m", "--model", default="random:qwen3-0.6b",
                   help="as ember's -m (default random:qwen3-0.6b)")
    p.add_argument("--devices", default="0", help="a GPU's number, or cpu (default 0)")
    p.add_argument("--dtype", choices=("bf16", "fp16", "fp32"), default=None,
                   help="of Ember and transformers on a GPU (bf16), of transformers on the CPU (fp32)")
    p.add_argument("-p", "--prompt", type=int, default=128, help="prompt tokens (128)")
    p.add_argument("-n", "--tokens", type=int, default=256, help="tokens decoded after it (256)")
    p.add_argument("--rounds", type=int, default=3, help="turns of every engine (3)")
    p.add_argument("-r", "--repetitions", type=int, default=2, help="in a turn (2)")
    p.add_argument("--threads", type=int, default=0, help="CPUs for everyone (0: all)")
    p.add_argument("--llama-bench", metavar="BINARY", help="of llama.cpp")
    p.add_argument("--gguf", metavar="FILE", help="the model for it, best with 16-bit weights")
    p.add_argument("--llama-options", default="", metavar="OPTIONS",
                   help="further ones of llama-bench, as '-ub 2048'")
    p.add_argument("--transformers", metavar="PYTHON", help="a Python that imports torch and transformers")
    p.add_argument("--compiled", action="store_true",
                   help="also transformers with torch.compile and a static cache (a minute to compile)")
    p.add_argument("--e2e", default="", metavar="OPTIONS", help="further options of ember bench e2e")
    p.add_argument("--timeout", type=float, default=600, help="seconds for one turn (600)")
    p.add_argument("--json", metavar="FILE", help="write all figures here")
    args = p.parse_args()
    if args.devices != "cpu" and not args.devices.isdigit():
        stop(2, "--devices takes one GPU's number, or cpu, and not '%s'" % args.devices)
    if min(args.prompt, args.tokens, args.rounds, args.repetitions) < 1 or args.threads < 0:
        stop(2, "-p, -n, --rounds and -r take 1 or more, --threads 0 or more")
    args.dtype = args.dtype or ("fp32" if args.devices == "cpu" else "bf16")
    check_peers(args)
    if not os.access(args.ember, os.X_OK):
        stop(2, "%s is missing: build it, or name a build by --ember" % args.ember)
    args.ember = str(pathlib.Path(args.ember).resolve())
    return args


def check_peers(args):
    if not args.llama_bench and not args.transformers:
        stop(2, "no peer to compare with: give %s, or %s, or both" %
             (HELP["llama.cpp"], HELP["transformers"]))
    if bool(args.llama_bench) != bool(args.gguf):
        stop(2, "--llama-bench and --gguf go together: " + HELP["llama.cpp"])
    if args.compiled and not args.transformers:
        stop(2, "--compiled is a form of transformers: " + HELP["transformers compiled"])
    for option, program in (("--llama-bench", args.llama_bench), ("--transformers", args.transformers)):
        if program and shutil.which(program) is None:
            stop(2, "%s: %s is no program" % (option, program))
    if args.gguf and not os.path.isfile(args.gguf):
        stop(2, "--gguf: no file " + args.gguf)


def check_device(args):
    """The names of card and driver; exit code 5 without the device."""
    if args.devices == "cpu":
        return {"card": cpu_name(), "driver": None}
    known = {d["id"] for d in json.loads(run([args.ember, "devices", "--json"], 60))["cuda"]}
    if args.devices not in known:
        stop(5, "no device %s on this machine; --devices cpu compares on the CPU" % args.devices)
    return {}


def open_peers(args, shape):
    """(engines that can take turns, names of what is not measured with the reason, whether one failed)"""
    engines, missing, failed = [], {}, False
    if args.llama_bench:
        engines.append(LlamaBench(args.llama_bench, args.gguf, shape, args.devices, args.threads,
                                  args.llama_options.split(), args.timeout))
    else:
        missing["llama.cpp"] = HELP["llama.cpp"]
    if not args.transformers:
        missing["transformers"] = HELP["transformers"]
        return engines, missing, failed
    try:
        process = HfProcess(args.transformers, shape, args.dtype, args.devices,
                            args.threads, args.timeout)
        engines.append(HuggingFacePeer(process, "eager"))
        if args.compiled:
            engines.append(HuggingFacePeer(process, "compiled"))
        else:
            missing["transformers compiled"] = HELP["transformers compiled"]
    except EngineFailed as e:
        missing["transformers"], failed = "%s: %s" % (args.transformers, e), True
    return engines, missing, failed


def take_turns(args, comparison, engines):
    """Rounds of all engines; a peer that fails takes no further turn. Returns engine -> why."""
    failed = {}
    for number in range(args.rounds):
        going = [e for e in engines if e not in failed]
        for engine in going if number % 2 == 0 else going[::-1]:
            print("round %d of %d: %s" % (number + 1, args.rounds, engine.name), file=sys.stderr)
            try:
                comparison.add(engine, engine.turn(args.prompt, args.tokens, args.repetitions))
            except EngineFailed as e:
                if engine is comparison.ember:
                    raise
                failed[engine] = str(e)
                comparison.turns.pop(engine, None)
    return failed


def card_of(report, known):
    gpus = report["env"]["gpus"]
    return known or {"card": gpus[0]["name"] if gpus else "unknown",
                     "driver": (report["env"]["cuda"] or {}).get("driver")}


def write(args, head, comparison, engines, missing):
    scripts, changed = commit(ROOT)
    rows = [{"name": e.name, "version": e.version, "notes": e.notes,
             **{p: comparison.figures(e, p) for p in PHASES}} for e in engines if e in comparison.turns]
    whole = dict(head, schema=SCHEMA, time=datetime.datetime.now(datetime.timezone.utc).isoformat(),
                 commit=comparison.ember.commit, scripts={"commit": scripts, "changed": changed},
                 model=args.model, devices=args.devices, dtype=args.dtype, threads=args.threads,
                 prompt=args.prompt, tokens=args.tokens, rounds=args.rounds, repetitions=args.repetitions,
                 work={"prefill_flops": comparison.ember.work("prefill"),
                       "decode_bytes": comparison.ember.work("decode")},
                 ceilings={p: {"value": comparison.ceiling(p), "rounds": comparison.ember.ceilings(p)}
                           for p in PHASES}, engines=rows, not_measured=missing)
    with open(args.json, "w") as f:
        json.dump(whole, f, indent=1)
        f.write("\n")


def main():
    args = parse()
    try:
        args.threads = pin(args.threads)
    except ValueError as e:
        stop(2, "--threads: %s" % e)
    known = check_device(args)
    ember = Ember(args.ember, args.model, args.devices, args.dtype, args.e2e.split(), args.timeout)
    shape = shape_of(args.ember, args.model, args.timeout)
    comparison = Comparison(ember, args.prompt)
    peers, missing, wrong = open_peers(args, shape)
    engines = [ember] + peers
    try:
        for engine, reason in take_turns(args, comparison, engines).items():
            missing[engine.name], wrong = reason, True
    finally:
        for engine in engines:
            engine.close()
    head = card_of(ember.reports[0], known)
    print("%s, driver %s; %s, prompt %d, %d tokens after it; %d rounds of %d repetitions in turn" %
          (head["card"], head["driver"] or "none", args.model, args.prompt, args.tokens, args.rounds,
           args.repetitions))
    print("\n".join(dict.fromkeys(e.version for e in engines if e in comparison.turns)))
    print("\n%s\n\n%s" % (comparison.limits(), comparison.table(engines)))
    for engine in engines:
        for note in engine.notes:
            print("%s: %s" % (engine.name, note))
    for name, reason in missing.items():
        print("not measured: %s (%s)" % (name, reason))
    if args.json:
        write(args, head, comparison, engines, missing)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EngineFailed as e:
        stop(e.code, "%s" % e)
    except subprocess.SubprocessError as e:
        stop(1, "%s" % e)
