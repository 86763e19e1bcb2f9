#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests what scripts/multi_gpu.sh makes of a machine with GPUs, by an `ember`, nvidia-smi and
compute-sanitizer that only pretend: each thing that can be wrong must fail its step, and no other."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
EMBER = '''#!@PYTHON@ -SE
import json, os, struct, sys
wrong = os.environ.get("FAKE_WRONG", "").split(",")
a = sys.argv[1:]
def option(name, default=""):
    return a[a.index(name) + 1] if name in a else default
devices = option("--devices", "0").split(",")
def out(name, value):
    text = json.dumps(value)
    print(text) if option(name) == "-" else open(option(name), "w").write(text)
with open(os.environ["FAKE_LOG"], "a") as f:
    f.write(" ".join(a) + "\\n")
if a == ["--version"]:
    print("ember 1 (0123456789abcdef0123456789abcdef01234567)")
elif a == ["--list-presets"]:
    print(json.dumps([{"name": "big", "layers": 40, "hidden": 5120}]))
elif a[0] == "devices":
    print(json.dumps({"cuda": [{"id": str(i)} for i in range(int(os.environ["FAKE_GPUS"]))]}))
elif a[:2] == ["report", "validate"]:
    json.load(open(a[2]))
elif a[:2] == ["bench", "p2p"]:
    cases = []
    for s in devices:
        for d in devices:
            if "pair" in wrong and (s, d) == ("1", "0"):
                continue
            bad = "bytes" in wrong and s != d
            cases.append({"id": "p2p/copy/%s%s" % (s, d), "kind": "p2p", "unit": "B/s",
                          "status": "failed" if bad else "ok", "reason": "bytes" if bad else None,
                          "verified": not bad, "ceiling": {"share": 0.8}, "summary": {"median": 1e11},
                          "params": {"bytes": 1024, "src": "cuda:" + s, "dst": "cuda:" + d,
                                     "path": "peer", "engine": "ce", "direction": "one"}})
            for path in ("peer", "staged"):
                if "hop" in wrong and (s, path) == ("1", "staged"):
                    continue
                cases.append({"id": "p2p/hop/%s%s%s" % (path, s, d), "kind": "p2p", "unit": "s",
                              "status": "ok", "reason": None, "verified": True, "ceiling": None,
                              "summary": {"median": 2e-5},
                              "params": {"bytes": 512 * 4 * int(option("--hidden")), "tokens": 512,
                                         "src": "cuda:" + s, "dst": "cuda:" + d, "path": path}})
    out("--json", {"cases": cases})
    sys.exit(1 if "bytes" in wrong else 0)
elif a[:2] == ["bench", "e2e"]:
    two = len(devices) > 1
    decode = 98.0 if two else 100.0
    if two and "decode" in wrong: decode = 96.0
    if option("--hop") == "staged": decode = 90.0
    def case(kind, name, rate, tokens, params):
        stage = {"bubble_share": 0.07, "hop_s": None if kind == "prefill" or "hops" in wrong else 2e-5}
        bad = "share" in wrong and kind == "decode" and len(devices) == 1
        return {"id": "e2e/%s/%s" % (kind, name), "kind": "e2e", "params": params,
                "status": "failed" if bad else "ok", "reason": "share" if bad else None,
                "summary": {"median": tokens / rate}, "work": {"tokens": tokens},
                "stages": [dict(stage, stage=i) for i in range(len(devices))]}
    cases = [case("decode", "x", decode, 1, {})]
    for chunk in option("--chunks").split(","):
        rate = {"512": 37000.0, "1024": 35000.0}.get(chunk, 30000.0) if two else 20000.0
        if two and "prefill" in wrong: rate -= 1500.0
        if len(devices) == 8 and "loop" in wrong: rate = 36500.0
        if option("--hop") == "staged": rate = 30000.0
        cases.append(case("prefill", chunk, rate, int(option("-p")), {"chunk": int(chunk)}))
    if "crash" in wrong:
        print("crashed early", file=sys.stderr); sys.exit(1)
    out("--json", {"cases": cases})
    sys.exit(1 if any(c["status"] == "failed" for c in cases) else 0)
elif a[0] == "golden":
    if "golden" in wrong and "odd" in option("-m"):
        print("FAIL"); sys.exit(1)
    print("PASS in 1 s")
elif a[0] == "logits":
    if "--mem-limit" in a and float(option("--mem-limit")) < 35 and len(devices) == 1:
        if "limit" not in wrong: sys.exit(6)
    value = 2.0 if "logits" in wrong and devices == ["1", "0"] else 1.0
    if os.environ.get("EMBER_NO_PEER") == "1" and len(devices) > 1:
        if "notice" not in wrong:
            print("ember: no peer copies: activations go through pinned host memory", file=sys.stderr)
        if "fallback" in wrong: value = 3.0
    data = struct.pack("<2f", 0.5, value)
    head = json.dumps({"logits": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]},
                       "__metadata__": {"devices": ",".join(devices)}}).encode()
    open(option("-o"), "wb").write(struct.pack("<Q", len(head)) + head + data)
elif "--dry-run" in a:
    each = {1: [40], 2: [20, 21]}[len(devices)]
    if "split" in wrong and len(devices) == 2: each = [15, 26]
    out("--json", {"devices": [{"device": d, "needed_bytes": n << 30, "available_bytes": 80 << 30}
                               for d, n in zip(devices, each)]})
elif a[0] == "generate":
    ids = list(range(48))
    if "tokens" in wrong and option("--hop") == "staged" and "--seed" in a: ids[40] = 7
    if option("--json"): out("--json", {"ids": ids})
else:
    sys.exit(70)
'''
SANITIZER = '''#!/bin/bash
case "$FAKE_WRONG,$*" in *memcheck,*staged*) echo "========= ERROR SUMMARY: 2 errors"; exit 9 ;; esac
echo "========= ERROR SUMMARY: 0 errors"
'''
SMI = '''#!/bin/bash
case "$*" in *driver*) for i in 1 2; do echo 1.2.3; done ;; *) echo "Card A"; echo "Card B" ;; esac
'''


class MultiGpu(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ember-multi-gpu-test-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in (("build/ember", EMBER.replace("@PYTHON@", sys.executable)),
                           ("bin/compute-sanitizer", SANITIZER), ("bin/nvidia-smi", SMI)):
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def run_it(self, expected, *arguments, wrong="", gpus="4"):
        command = [sys.executable, str(HERE / "multi_gpu.py"), "--build", str(self.root / "build"),
                   "--out", str(self.root / "out"), "--model", "random:big", *arguments]
        environment = dict(os.environ, FAKE_WRONG=wrong, FAKE_GPUS=gpus,
                           FAKE_LOG=str(self.root / "log"),
                           PATH="%s:%s" % (self.root / "bin", os.environ["PATH"]))
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=200)
        self.assertEqual(done.returncode, expected, done.stdout)
        return done.stdout

    def result(self):
        return json.loads((self.root / "out" / "multi_gpu.json").read_text())

    def statuses(self):
        return {row["name"]: row["status"] for row in self.result()["steps"]}

    def test_all_is_well(self):
        text = self.run_it(0, "--chunk", "1024,512")
        result = self.result()
        self.assertTrue(result["complete"])
        self.assertEqual((result["cards"], result["driver"], result["failed"]),
                         (["Card A", "Card B"], "1.2.3", 0))
        self.assertEqual(set(self.statuses().values()), {"passed"})
        speed = next(r for r in result["steps"] if r["name"] == "speed")["figures"]
        two = speed["e2e two"]
        self.assertEqual((two["chunk"], two["chunk_one"]), ("512", "2048"))
        self.assertAlmostEqual(two["prefill"], 1.85)
        self.assertAlmostEqual(speed["e2e two staged"]["decode"], 0.9)
        for part in ("bubbles of prefill 7.0 %, 7.0 %", "a hop of decode 20.0 us",
                     "cuda:0>cuda:1 100.0 GB/s (80 % of nominal)", "hop of 512 cuda:1>cuda:0 staged"):
            self.assertIn(part, text)
        self.assertEqual(os.listdir(self.root / "out").count("logits-one-0.safetensors"), 0)
        log = (self.root / "log").read_text().split("\n")
        self.assertTrue(any("--devices 0,1,0,1 " in line and "--split 10,10,10,10" in line for line in log))
        # One load a model and list of devices: the first list's logits serve every comparison.
        one = [line for line in log if re.search(r"^logits -m random:big .*--devices 0 ", line)]
        self.assertEqual(len([line for line in one if "--mem-limit" not in line]), 1)

    def test_everything_that_is_wrong_fails_its_step(self):
        faults = {"pair": "p2p", "golden": "golden odd (bf16|fp16)", "logits": "logits .*",
                  "tokens": "tokens", "prefill": "speed", "limit": "memory limit",
                  "notice": "no peer", "memcheck": "memcheck staged", "bytes": "p2p",
                  "decode": "speed", "split": "auto split", "fallback": "no peer",
                  "hop": "p2p", "share": "e2e one", "hops": "e2e t.*"}
        names = list(faults)
        for some in (names[:8], names[8:12], names[12:14], names[14:]):  # one at most meets a step
            with self.subTest(some):
                self.run_it(1, wrong=",".join(some))
                wanted = "|".join(faults[f] for f in some)
                for name, status in self.statuses().items():
                    failing = re.fullmatch(wanted, name) is not None
                    self.assertEqual(status, "failed" if failing else "passed", name)

    def test_one_way_that_is_quick_is_enough(self):
        text = self.run_it(0, "--steps", "e2e|speed", wrong="prefill,loop")
        self.assertIn("e2e two, 8 stages: prefill x 1.825", text)
        self.assertIn("e2e two: prefill x 1.775", text)

    def test_figures_of_a_failed_step_are_kept(self):
        self.run_it(1, "--steps", "e2e one|e2e two$|speed", wrong="share")
        self.assertEqual(self.statuses(), {"e2e one": "failed", "e2e two": "passed", "speed": "passed"})
        self.assertIn("crashed early", self.run_it(1, "--steps", "e2e one", wrong="crash"))

    def test_four_devices_and_no_more_stages_than_layers(self):
        self.run_it(0, "--devices", "0,1,2,3", "--steps", "logits|e2e all")
        log = (self.root / "log").read_text()
        self.assertIn("logits -m golden/models/tiny", log)
        self.assertIn("--devices 0,1,2,3", log)
        odd = [line for line in log.split("\n") if "models/odd" in line]
        self.assertTrue(any("--devices 0,1,2 " in line for line in odd), odd)
        self.assertFalse(any("--devices 0,1,2,3" in line for line in odd), odd)
        self.assertEqual(self.statuses()["e2e all"], "passed")

    def test_one_device_twice_judges_no_speed(self):
        text = self.run_it(0, "--devices", "0,0", wrong="decode,prefill", gpus="1")
        self.assertIn("not judged", text)
        self.assertEqual({n for n, s in self.statuses().items() if s == "skipped"},
                         {"memory limit", "auto split", "no peer"})

    def test_parts_and_wrong_calls(self):
        self.run_it(0, "--steps", "^golden")
        self.assertFalse(self.result()["complete"])
        self.run_it(0, "--append", "--steps", "^p2p")
        self.assertEqual(list(self.statuses())[:2], ["p2p", "golden tiny bf16"])
        self.run_it(0, "--append", "--steps", "^e2e one")
        self.assertEqual(list(self.statuses())[:2], ["e2e one", "p2p"])
        self.assertIn("this run has [64]", self.run_it(2, "--append", "--chunk", "64"))
        self.assertIn("has no figures", self.run_it(1, "--steps", "^speed"))
        for options in (("--devices", "0"), ("--devices", "0,x"), ("--steps", "nothing"),
                        ("--chunk", "0"), ("--build", str(self.root / "none"))):
            self.run_it(2, *options)
        self.assertIn("no device 1", self.run_it(5, gpus="1"))
        self.assertIn("memcheck staged", self.run_it(0, "--list"))


if __name__ == "__main__":
    unittest.main()
