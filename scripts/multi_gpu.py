#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What only a machine with several GPUs can show: every link between them, the same bits on any number of
stages, and what a pipeline over two cards gains and costs.

    scripts/multi_gpu.sh [--devices 0,1] [--build build] [--model random:qwen3-14b] [--out multi_gpu]

In this order, what is worth most first:
  e2e …           prefill (each chunk a case) and decode of --model on one device; on two, with a stage
                  each, two, three or four in turn, and staged; bubbles and hop times
  speed           of one way to use two cards: decode at least 97 % of one card's rate, and prefill at
                  least 1.8 times one card's, each at the best of its chunks
  logits …        logits on one device, on two in both orders, peer and staged, on all: equal to the bit
  p2p             ember bench p2p over all pairs: bytes verified, peer against staged, nominal rates beside
  memory limit    a model that one device may not hold runs on two, with the logits it would have had
  auto split      free memory that is left, as a share, is the same on both within 5 %
  no peer         where devices cannot reach each other, hops are staged, with a notice
  memcheck …      compute-sanitizer over a short pipelined run: no errors
  golden …        the golden references on the first two devices
  tokens          generated tokens, greedy and sampled, as logits
  e2e all         on all devices where there are more than two (not judged)

It needs the built ember alone, and compute-sanitizer on PATH; each step prints the seconds it took.
--devices takes cpu,cpu and 0,0 too: what needs two devices is skipped then, and no speed is judged.
Writes OUT/multi_gpu.json (one row a step) and the reports of the benches beside it, and prints a table.
Exit code 0 when nothing failed, 1 when something did, 2 for a wrong call, 5 when a device is missing."""
import argparse
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time

import named_steps

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = "scripts/multi_gpu.sh"
SCHEMA = "ember.multi_gpu/1"
BUNDLED = ("tiny", "odd")
# Decode runs with the first.
CHUNKS, CHUNKS_ONE = "512,256,384,640,768,1024,1664,2048", "2048,1024,4096,8192"
P2P, E2E = "--max-bytes 256M --case-cap 0.1", "--time-cap 0.3"
MIN_DECODE, MIN_PREFILL, MAX_SPLIT = 0.97, 1.8, 0.05
NOTICE = "activations go through pinned host memory"


class Failed(Exception):
    """A step found something wrong; `figures`: what it measured all the same."""

    def __init__(self, text, figures=None):
        super().__init__(text)
        self.figures = figures or {}


class Skipped(Exception):
    """A step has nothing to look at here."""


def parse():
    p = argparse.ArgumentParser(prog=PROGRAM, description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--devices", default="0,1", help="two or more (default 0,1)")
    p.add_argument("--build", default="build", metavar="DIR", help="a finished build (default build)")
    p.add_argument("--model", default="random:qwen3-14b", help="default random:qwen3-14b")
    p.add_argument("--prompt", type=int, default=8192, help="prompt tokens of e2e (8192)")
    p.add_argument("--tokens", type=int, default=64, help="decoded tokens of e2e (64)")
    p.add_argument("--repetitions", type=int, default=3)
    p.add_argument("--chunk", default=CHUNKS, metavar="LIST",
                   help="prompt tokens a pass of the pipeline (%s)" % CHUNKS)
    p.add_argument("--chunk-one", default=CHUNKS_ONE, metavar="LIST",
                   help="the same of one device (%s)" % CHUNKS_ONE)
    p.add_argument("--p2p", default=P2P, metavar="OPTIONS",
                   help="further options of ember bench p2p (%s)" % P2P)
    p.add_argument("--e2e", default=E2E, metavar="OPTIONS",
                   help="further options of ember bench e2e (%s)" % E2E)
    p.add_argument("--timeout", type=float, default=600, help="seconds for one command (600)")
    p.add_argument("--out", default="multi_gpu", metavar="DIR")
    named_steps.add_options(p, "cards, driver, commit, model and sizes")
    args = p.parse_args()
    args.devices = args.devices.split(",")
    if len(args.devices) < 2 or not all(re.fullmatch(r"cpu|\d+", d) for d in args.devices):
        named_steps.usage(PROGRAM, "--devices takes two or more of cpu and GPU numbers, as in 0,1")
    try:
        args.chunks = [int(c) for c in args.chunk.split(",")]
        args.chunks_one = [int(c) for c in args.chunk_one.split(",")]
    except ValueError as e:
        named_steps.usage(PROGRAM, "%s" % e)
    if min(args.chunks + args.chunks_one + [args.prompt, args.tokens, args.repetitions]) < 1:
        named_steps.usage(PROGRAM, "--chunk, --chunk-one, --prompt, --tokens and --repetitions take 1 "
                          "or more")
    return args


def tensors(path):
    """name -> (dtype, shape, bytes) of a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    return {name: (t["dtype"], t["shape"], data[8 + size + t["data_offsets"][0]:
                                                8 + size + t["data_offsets"][1]])
            for name, t in header.items() if name != "__metadata__"}


def first_difference(a, b):
    """Empty when two files hold the same tensors to the bit."""
    one, two = tensors(a), tensors(b)
    if one.keys() != two.keys() or not one:
        return "tensors %s against %s" % (sorted(one), sorted(two))
    for name in sorted(one):
        if one[name][:2] != two[name][:2]:
            return "%s is %s against %s" % (name, one[name][:2], two[name][:2])
        if one[name][2] != two[name][2]:
            at = next(i for i, (x, y) in enumerate(zip(one[name][2], two[name][2])) if x != y)
            return "%s differs from byte %d of %d on" % (name, at, len(one[name][2]))
    return ""


class Run:
    def __init__(self, args):
        self.args = args
        self.out = pathlib.Path(args.out)
        self.ember = str(pathlib.Path(args.build) / "ember")
        self.devices = args.devices
        self.pair = self.devices[:2]
        self.unique = list(dict.fromkeys(self.devices))
        self.gpus = "cpu" not in self.devices
        self.real = self.gpus and self.pair[0] != self.pair[1]
        self.one = {}  # model -> file of its logits on one device
        self.plans = {}

    # Commands ---------------------------------------------------------------------------------

    def call(self, command, expected=0, environment=None, also=()):
        """stdout and stderr of a command that must end with `expected`, or one of `also`."""
        try:
            done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, timeout=self.args.timeout,
                                  cwd=ROOT, env=dict(os.environ, **(environment or {})))
        except subprocess.TimeoutExpired:
            raise Failed("not done after %g s: %s" % (self.args.timeout, " ".join(map(str, command))))
        except OSError as e:
            raise Failed("%s" % e)
        if done.returncode != expected and done.returncode not in also:
            tail = (done.stdout + done.stderr).strip().split("\n")[-12:]
            raise Failed("exit code %d, expected %d: %s\n%s" %
                         (done.returncode, expected, " ".join(map(str, command)), "\n".join(tail)))
        return done.stdout, done.stderr

    def engine(self, *arguments, **more):
        return self.call([self.ember] + list(arguments), **more)

    def bench(self, name, *arguments):
        """The report, its cases that failed, and whether hops were staged for want of peer copies."""
        path = self.out / (name + ".json")
        path.unlink(missing_ok=True)
        _, err = self.engine("bench", *arguments, "--json", path, also=(1,))
        if not path.exists():
            raise Failed("no report: %s" % (err.strip() or "nothing on stderr"))
        self.engine("report", "validate", path)
        with open(path) as f:
            report = json.load(f)
        failed = ["%s: %s" % (c["id"], c["reason"]) for c in report["cases"]
                  if c["status"] == "failed"]
        return report, failed, NOTICE in err

    def shape(self, model):
        """(layers, width)"""
        config = ROOT / model / "config.json"
        if config.exists():
            values = json.loads(config.read_text())
            return values["num_hidden_layers"], values["hidden_size"]
        presets = json.loads(self.engine("--list-presets")[0])
        preset = model.split(":")[1] if ":" in model else ""
        return next(((p["layers"], p["hidden"]) for p in presets if p["name"] == preset), (2, 4096))

    def device_lists(self, model):
        """Devices of every run that must give the bits of the first, with options."""
        a, b = self.pair
        lists = [([a], []), ([a, b], []), ([b, a], [])]
        if self.gpus:
            lists += [([a, b], ["--hop", "peer"]), ([a, b], ["--hop", "staged"])]
        if len(self.devices) > 2:
            lists.append((self.devices[:self.shape(model)[0]], []))  # a layer a stage, at least
        return lists

    # Steps ------------------------------------------------------------------------------------

    def p2p(self):
        width = self.shape(self.args.model)[1]
        report, failed, _ = self.bench("p2p", "p2p", "--devices", ",".join(self.unique), "--hidden",
                                       width, "-t", "1,512,1024", *self.args.p2p.split())
        cases = [c for c in report["cases"] if c["kind"] == "p2p" and c["summary"]]
        copies = [c for c in cases if c["id"].startswith("p2p/copy/")]
        largest = max([c["params"]["bytes"] for c in copies] or [0])
        figures, lines = {}, []
        for c in cases:
            p = c["params"]
            if c["id"].startswith("p2p/hop/") or p.get("bytes") == largest:
                share = (c["ceiling"] or {}).get("share")
                figures[c["id"]] = {"median": c["summary"]["median"], "unit": c["unit"],
                                    "share": share}
                if p.get("path") == "peer" and p.get("direction") == "one" and p["engine"] == "ce":
                    lines.append("%s>%s %.1f GB/s (%s)" %
                                 (p["src"], p["dst"], c["summary"]["median"] / 1e9, "no nominal rate"
                                  if share is None else "%.0f %% of nominal" % (100 * share)))
                elif p.get("tokens") == 512:
                    lines.append("hop of 512 %s>%s %s %.0f us" %
                                 (p["src"], p["dst"], p["path"], 1e6 * c["summary"]["median"]))
        wrong = failed + ["not verified: " + c["id"] for c in cases
                          if not c["verified"] and c["status"] != "failed"]
        if self.real:
            names = ["cuda:" + d for d in self.unique]
            peerless = any("no peer" in (c["reason"] or "") or "EMBER_NO_PEER" in (c["reason"] or "")
                           for c in report["cases"] if c["params"].get("path") == "peer")
            for path, kind in (("peer", "copy"), ("peer", "hop"), ("staged", "hop")):
                have = {(c["params"]["src"], c["params"]["dst"]) for c in cases
                        if c["id"].startswith("p2p/%s/" % kind) and c["params"]["path"] == path}
                missing = [(s, d) for s in names for d in names if s != d and (s, d) not in have]
                if missing and not (path == "peer" and peerless):
                    wrong.append("no %s %s of %s" % (path, kind, missing))
        if wrong:
            raise Failed("; ".join(wrong[:5]), figures)
        count = {s: sum(c["status"] == s for c in report["cases"])
                 for s in ("ok", "noisy", "skipped")}
        return "; ".join(["%(ok)d ok, %(noisy)d noisy, %(skipped)d skipped" % count] + lines), figures

    def golden(self, model, dtype):
        out, _ = self.engine("golden", "run", "-m", "golden/models/" + model, "-g",
                             "golden/refs/" + model, "--devices", ",".join(self.pair), "--dtype",
                             dtype)
        return out.strip().split("\n")[-1].replace("\t", " "), {}

    def logits_file(self, model, devices, options, name, **more):
        """Logits of a prompt in passes, of which the last is short, and of steps after it."""
        path = self.out / (name + ".safetensors")
        ids = ",".join(str(3 + 7 * i % 251) for i in range(240))
        _, err = self.engine("logits", "-m", model, "--ids", ids, "--decode-from", "224", "--chunk",
                             "72", "--devices", ",".join(devices), "-o", path, *options, **more)
        return path, err

    def logits_of_one(self, model):
        if model not in self.one:
            name = "logits-one-%d" % len(self.one)
            self.one[model] = self.logits_file(model, self.pair[:1], [], name)[0]
        return self.one[model]

    def logits(self, model):
        want, lists = self.logits_of_one(model), self.device_lists(model)[1:]
        for devices, options in lists:
            path, _ = self.logits_file(model, devices, options, "logits")
            wrong = first_difference(want, path)
            os.remove(path)
            if wrong:
                raise Failed("devices %s %s against %s: %s" % (",".join(devices), " ".join(options),
                                                               self.pair[0], wrong))
        return "%d runs equal to one device's to the bit" % len(lists), {}

    def tokens(self):
        want, lists = {}, self.device_lists("golden/models/tiny")
        for devices, options in lists:
            for way in (("--temp", "0"), ("--temp", "0.8", "--seed", "7")):
                path = self.out / "tokens.json"
                self.engine("generate", "-q", "-m", "golden/models/tiny", "-p", "Once upon a time",
                            "-n", "48", "--ignore-eos", "--devices", ",".join(devices), "--json",
                            path, *way, *options)
                with open(path) as f:
                    ids = json.load(f)["ids"]
                os.remove(path)
                if len(ids) != 48 or want.setdefault(way, ids) != ids:
                    raise Failed("devices %s %s, %s: %s, expected %s" %
                                 (",".join(devices), " ".join(options), " ".join(way), ids,
                                  want.get(way)))
        return "the same from %d runs, greedy and sampled" % len(lists), {}

    def e2e(self, name, devices, chunks, options=()):
        # Random weights have no references of their own: the engine is judged by a bundled model.
        judged = ["--golden-model", "golden/models/tiny", "-g", "golden/refs/tiny"]
        judged = judged if self.args.model.startswith("random:") else []
        report, failed, peerless = self.bench(
            name, "e2e", "-m", self.args.model, "--devices", ",".join(devices), "-p",
            self.args.prompt, "-n", self.args.tokens, "-r", self.args.repetitions, "--chunks",
            ",".join(map(str, chunks)), *options, *judged, *self.args.e2e.split())
        figures = {"devices": ",".join(devices), "options": " ".join(options), "peerless": peerless,
                   "prefill_by_chunk": {}}
        for case in report["cases"]:
            kind = case["id"].split("/")[1]
            if case["kind"] != "e2e" or kind not in ("prefill", "decode") or not case["summary"]:
                continue
            rate = (case["work"]["tokens"] or 1) / case["summary"]["median"]
            if kind == "prefill":
                chunk = "%d" % case["params"]["chunk"]
                figures["prefill_by_chunk"][chunk] = rate
                if rate <= figures.get("prefill", 0):
                    continue
                figures["prefill_chunk"] = chunk
            figures[kind] = rate
            figures[kind + "_stages"] = case.get("stages")
        if failed:
            raise Failed("; ".join(failed[:5]), figures)
        if not {"prefill", "decode"} <= set(figures):
            raise Failed("no figures of prefill and decode in %s.json" % name, figures)
        detail = "prefill %.4g tokens/s in passes of %s, decode %.4g tokens/s" % (
            figures["prefill"], figures["prefill_chunk"], figures["decode"])
        if len(devices) > 1:
            bubbles = [s["bubble_share"] for s in figures["prefill_stages"] or []]
            hops = [s["hop_s"] for s in figures["decode_stages"] or []]
            if len(bubbles) != len(devices) or len(hops) != len(devices) or None in bubbles + hops:
                raise Failed("bubbles or hop times are missing in %s.json" % name, figures)
            detail += "; bubbles of prefill %s; a hop of decode %.1f us" % (
                ", ".join("%.1f %%" % (100 * b) for b in bubbles), 1e6 * max(hops))
        if peerless:
            detail += "; hops are staged: no peer copies"
        return detail, figures

    def even_split(self, stages):
        """Layers take time, and the embedding only memory: both devices get as many."""
        layers = self.shape(self.args.model)[0]
        if layers < stages:
            raise Skipped("%d layers" % layers)
        split = [layers * (i + 1) // stages - layers * i // stages for i in range(stages)]
        return ["--split", ",".join(map(str, split))]

    def speed(self, rows):
        one = rows.get("e2e one", {}).get("figures", {})
        if not {"prefill", "decode"} <= set(one):
            raise Failed("step 'e2e one' has no figures")
        figures, lines, good = {}, [], False
        for name, row in rows.items():
            two = row.get("figures", {})
            if not name.startswith("e2e two") or not {"prefill", "decode"} <= set(two):
                continue
            ratios = {"prefill": two["prefill"] / one["prefill"],
                      "decode": two["decode"] / one["decode"], "chunk": two["prefill_chunk"],
                      "chunk_one": one["prefill_chunk"]}
            figures[name] = ratios
            lines.append("%s: prefill x %.3f (passes of %s, on one %s), decode x %.3f" %
                         (name, ratios["prefill"], ratios["chunk"], ratios["chunk_one"],
                          ratios["decode"]))
            # What the pipeline does by itself is judged; staged is shown.
            good = good or ("staged" not in name and ratios["prefill"] >= MIN_PREFILL
                            and ratios["decode"] >= MIN_DECODE)
        if not figures:
            raise Failed("no step 'e2e two' has figures")
        if self.real and not good:
            raise Failed("no way has prefill x %g and decode x %g: %s" %
                         (MIN_PREFILL, MIN_DECODE, "; ".join(lines)), figures)
        if not self.real:
            lines.append("not judged: one device has no second card's speed")
        return "; ".join(lines), figures

    def plan(self, devices):
        names = ",".join(devices)
        if names not in self.plans:
            self.plans[names] = json.loads(self.engine(
                "generate", "-m", self.args.model, "--devices", names, "-c", "256", "--chunk", "72",
                "--dry-run", "--json", "-")[0])
        return self.plans[names]

    def needs_two(self):
        if self.pair[0] == self.pair[1]:
            raise Skipped("one device named twice has the memory of one")

    def memory_limit(self):
        self.needs_two()
        one = self.plan(self.pair[:1])["devices"][0]["needed_bytes"]
        two = max(d["needed_bytes"] for d in self.plan(self.pair)["devices"])
        if two >= one:
            raise Failed("two devices need %d bytes each, one alone %d" % (two, one))
        limit = ["--mem-limit", "%.6f" % ((one + two) / 2 / 2**30)]
        want = self.logits_of_one(self.args.model)
        self.logits_file(self.args.model, self.pair[:1], limit, "logits-refused", expected=6)
        got, _ = self.logits_file(self.args.model, self.pair, limit, "logits-two")
        wrong = first_difference(want, got)
        os.remove(got)
        if wrong:
            raise Failed("on two devices: " + wrong)
        return ("one device needs %.2f GiB, two %.2f each; %s GiB refused on one, bit-equal on two" %
                (one / 2**30, two / 2**30, limit[1])), {"one": one, "two": two}

    def auto_split(self):
        self.needs_two()
        left = {d["device"]: 1 - d["needed_bytes"] / d["available_bytes"]
                for d in self.plan(self.pair)["devices"]}
        spread = max(left.values()) - min(left.values())
        detail = "left free: " + ", ".join("%s %.2f %%" % (d, 100 * s) for d, s in left.items())
        if spread > MAX_SPLIT:
            raise Failed(detail)
        return detail, {"left": left}

    def no_peer(self):
        if not self.real:
            raise Skipped("it takes two GPUs")
        want = self.logits_of_one("golden/models/tiny")
        for options in ([], ["--hop", "peer"]):
            got, err = self.logits_file("golden/models/tiny", self.pair, options, "logits-two",
                                        environment={"EMBER_NO_PEER": "1"})
            wrong = first_difference(want, got)
            os.remove(got)
            if wrong:
                raise Failed("without peer copies: " + wrong)
            if NOTICE not in err:
                raise Failed("no notice of staging (%s): %s" % (options, err.strip() or "nothing"))
        return "staged, with the notice, bit-equal", {}

    def memcheck(self, options):
        if not self.gpus:
            raise Skipped("compute-sanitizer looks at GPUs")
        if shutil.which("compute-sanitizer") is None:
            raise Failed("compute-sanitizer is not on PATH")
        out, err = self.call(["compute-sanitizer", "--tool", "memcheck", "--error-exitcode", "9",
                              self.ember, "generate", "-q", "-m", "golden/models/tiny", "-p",
                              "Once upon a time there was a small house by the sea. " * 16, "--chunk", "72",
                              "-n", "8", "--ignore-eos", "--temp", "0", "--devices",
                              ",".join(self.pair)] + options)
        summary = re.findall(r"ERROR SUMMARY: .*", out + err)
        if not summary or not summary[-1].startswith("ERROR SUMMARY: 0 "):
            raise Failed(summary[-1] if summary else "no summary")
        return summary[-1], {}

    def steps(self):
        """(name, function of the rows so far)"""
        a, b = self.pair
        chunks = self.args.chunks
        found = [("e2e one", lambda rows: self.e2e("e2e-one", [a], self.args.chunks_one)),
                 ("e2e two", lambda rows: self.e2e("e2e-two", [a, b], chunks))]
        for stages in (4, 6, 8) if self.real else ():
            found.append(("e2e two, %d stages" % stages, lambda rows, n=stages: self.e2e(
                "e2e-two-%d" % n, [a, b] * (n // 2), chunks, self.even_split(n))))
        if self.gpus:
            found.append(("e2e two staged", lambda rows: self.e2e("e2e-two-staged", [a, b], chunks,
                                                                  ["--hop", "staged"])))
        found.append(("speed", self.speed))
        for model in [self.args.model] + ["golden/models/" + m for m in BUNDLED]:
            name = pathlib.Path(model).name
            found.append(("logits " + name, lambda rows, m=model: self.logits(m)))
        found += [("p2p", lambda rows: self.p2p()),
                  ("memory limit", lambda rows: self.memory_limit()),
                  ("auto split", lambda rows: self.auto_split()),
                  ("no peer", lambda rows: self.no_peer()),
                  ("memcheck peer", lambda rows: self.memcheck([])),
                  ("memcheck staged", lambda rows: self.memcheck(["--hop", "staged"]))]
        for model in BUNDLED:
            for dtype in ("bf16", "fp16") if self.gpus else ("auto",):
                found.append(("golden %s %s" % (model, dtype),
                              lambda rows, m=model, d=dtype: self.golden(m, d)))
        found.append(("tokens", lambda rows: self.tokens()))
        if len(self.devices) > 2:
            found.append(("e2e all", lambda rows: self.e2e("e2e-all", self.devices, chunks)))
        return found


def header(run):
    names, args = named_steps.cards("name"), run.args
    return {"schema": SCHEMA,
            "cards": [names[int(d)] if d != "cpu" and int(d) < len(names) else d
                      for d in args.devices],
            "driver": (named_steps.cards("driver_version") or ["none"])[0],
            "commit": named_steps.commit_of(run.ember), "devices": args.devices,
            "model": args.model, "prompt": args.prompt, "tokens": args.tokens, "repetitions": args.repetitions,
            "chunk": args.chunks, "chunk_one": args.chunks_one}


def check_devices(run):
    out, _ = run.engine("devices", "--json")
    known = {d["id"] for d in json.loads(out)["cuda"]} | {"cpu"}
    missing = [d for d in run.unique if d not in known]
    if missing:
        print("scripts/multi_gpu.sh: no device %s on this machine" % ", ".join(missing),
              file=sys.stderr)
        sys.exit(5)


def main():
    args = parse()
    run = Run(args)
    steps = run.steps()
    chosen = named_steps.chosen(args, PROGRAM, steps, lambda step: step[0])
    if not os.access(run.ember, os.X_OK):
        named_steps.usage(PROGRAM, "%s is missing: build it, or name a build by --build" % run.ember)
    run.ember = str(pathlib.Path(run.ember).resolve())
    if os.path.isdir(args.model):
        args.model = str(pathlib.Path(args.model).resolve())
    check_devices(run)
    run.out.mkdir(parents=True, exist_ok=True)
    run.out = run.out.resolve()
    results = named_steps.Results(PROGRAM, run.out / "multi_gpu.json", header(run),
                                  [name for name, _ in steps])
    if args.append:
        results.append_to_file()
    for name, step in chosen:
        at = time.monotonic()
        row = {"name": name, "status": "passed"}
        try:
            row["detail"], row["figures"] = step(results.rows)
        except Failed as e:
            row.update(status="failed", detail=str(e), figures=e.figures)
        except Skipped as e:
            row.update(status="skipped", detail=str(e), figures={})
        row["seconds"] = round(time.monotonic() - at, 1)
        results.rows[name] = row
        print("== %s: %s (%g s) %s" % (name, row["status"].upper() if row["status"] == "failed"
                                       else row["status"], row["seconds"], row["detail"]), flush=True)
        results.write()
    for path in run.one.values():
        os.remove(path)
    print("%.0f s in all steps" % sum(row["seconds"] for row in results.rows.values()))
    print(results.summary(", ".join(results.header["cards"])))
    return 1 if results.failed() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as e:
        print("%s: %s" % (PROGRAM, e), file=sys.stderr)
        sys.exit(1)
