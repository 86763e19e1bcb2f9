#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests scripts/bench_vs_peers.sh with an `ember`, a llama-bench and a Python with transformers that only
pretend: the arithmetic of shares and ratios, peers that are missing or fail, wrong calls, exit codes. The fake
llama-bench writes the JSON that llama-bench writes with `-o json`."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
LOG = '''#!@PYTHON@ -SE
import json, os, sys
wrong = os.environ.get("FAKE_WRONG", "").split(",")
a = sys.argv[1:]
def option(name):
    return a[a.index(name) + 1]
def log(name):
    with open(os.environ["FAKE_LOG"], "a") as f:
        f.write(" ".join([name, os.environ.get("CUDA_VISIBLE_DEVICES", "-")] + a) + "\\n")
'''
# 100 bytes a step and 1000 flops a prompt; ceilings 1000 B/s and 10000 FLOP/s in one round, 3000 and 30000 in
# the other. A prompt takes 0.2 s, a step 0.1 s.
EMBER = LOG + '''
if a == ["--version"]:
    print("ember 1 (commit 0123456789abcdef0123456789abcdef01234567)\\nGNU")
elif a == ["--list-presets"]:
    print(json.dumps([{"name": "big", "layers": 2, "hidden": 8, "heads": 2, "kv_heads": 1, "head_dim": 4,
                       "ffn": 16, "vocab": 10, "tied": True}]))
elif a[0] == "devices":
    print(json.dumps({"cuda": [{"id": "0"}, {"id": "1"}]}))
elif a[:2] == ["bench", "e2e"]:
    log("ember")
    if "memory" in wrong:
        print("ember: out of memory: the plan does not fit", file=sys.stderr)
        sys.exit(6)
    with open(os.environ["FAKE_LOG"]) as f:
        scale = 1 if sum(line.startswith("ember") for line in f) == 1 else 3
    reps = int(option("-r"))
    def case(name, value, work, ref):
        held = None if "cached" in wrong and name == "decode" else {"ref": ref, "share": 0.5}
        return {"id": "e2e/%s/x" % name, "kind": "e2e", "status": "ok", "reason": None, "work": work,
                "ceiling": held, "samples": [{"values": [value] * reps}]}
    report = {"model": {"dtype": "bf16"},
              "env": {"gpus": [{"name": "Card A"}], "cuda": {"driver": "1.2.3"}},
              "ceilings": [{"id": "mem_read@cuda:0", "value": 1000.0 * scale},
                           {"id": "gemm_bf16@cuda:0", "value": 10000.0 * scale}],
              "cases": [{"id": "check/golden", "kind": "golden", "status": "ok"},
                        case("prefill", 0.2, {"flops": 1000.0, "bytes": None}, "gemm_bf16@cuda:0"),
                        case("decode", 0.07, {"flops": None, "bytes": 100.0}, "mem_read@cuda:0"),
                        case("throughput", 10.0, None, "none")]}
    with open(option("--json"), "w") as f:
        json.dump(report, f)
else:
    sys.exit(70)
'''
# A row of llama-bench with its fields as they are written; 1232 parameters (the fake model's) with 16 bits each.
LLAMA = LOG + '''
log("llama")
p, n, d, r = (int(option(x)) for x in ("-p", "-n", "-d", "-r"))
if "depth" in wrong: d = 0
if "crash" in wrong:
    print("error: failed to load model", file=sys.stderr); sys.exit(1)
if "text" in wrong:
    print("warning: no JSON"); sys.exit(0)
params = 16e9 if "other" in wrong else 1232
row = {"build_commit": "deadbeef", "build_number": 6000, "cpu_info": "CPU",
       "gpu_info": "" if "nogpu" in wrong else "Card A",
       "backends": "CUDA", "model_filename": option("-m"), "model_type": "qwen3 big F16",
       "model_size": int(params * (1.0625 if "q8" in wrong else 2)), "model_n_params": int(params),
       "n_batch": 2048, "n_ubatch": 512, "n_threads": 8, "cpu_mask": "0x0", "cpu_strict": False, "poll": 50,
       "type_k": "f16", "type_v": "f16", "n_gpu_layers": 99, "split_mode": "layer", "main_gpu": 0,
       "no_kv_offload": False, "flash_attn": 1, "devices": "auto", "tensor_split": "0.00",
       "tensor_buft_overrides": "none", "embeddings": False, "no_op_offload": 0, "n_prompt": p,
       "n_gen": n, "n_depth": d, "test_time": "2026-01-01T00:00:00Z", "avg_ns": 1, "stddev_ns": 0,
       "avg_ts": 1.0, "stddev_ts": 0.0,
       "samples_ns": [400000000 if p else 200000000 * n] * r, "samples_ts": [1.0] * r}
print("[\\n  " + json.dumps(row, indent=4) + "\\n]")
'''
PYTHON = LOG + '''
assert a[0].endswith("hf_worker.py"), a
def answer(x):
    print(json.dumps(x), flush=True)
hello = json.loads(sys.stdin.readline())
a += [hello["device"], hello["dtype"]]
log("transformers")
if "import" in wrong:
    answer({"error": "ModuleNotFoundError: No module named 'torch'"}); sys.exit(1)
answer({"version": "transformers 5, torch 2", "dtype": "bfloat16"})
for line in sys.stdin:
    turn = json.loads(line)
    assert len(turn["ids"]) == 16 and max(turn["ids"]) < 10, turn
    log("turn-" + turn["form"])
    if "compile" in wrong and turn["form"] == "compiled":
        answer({"error": "Unsupported: a graph"}); continue
    if "ends" in wrong:
        print("Killed", file=sys.stderr); sys.exit(9)
    slow = 4 if turn["form"] == "eager" else 1
    answer({"prefill": [0.2 * slow] * turn["repetitions"], "decode": [0.1 * slow] * turn["repetitions"]})
'''


class BenchVsPeers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ember-peers-test-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in (("ember", EMBER), ("llama-bench", LLAMA), ("python", PYTHON)):
            (self.root / name).write_text(text.replace("@PYTHON@", sys.executable))
            (self.root / name).chmod(0o755)
        (self.root / "big.gguf").write_text("GGUF")
        self.llama = ["--llama-bench", str(self.root / "llama-bench"), "--gguf",
                      str(self.root / "big.gguf")]
        self.python = ["--transformers", str(self.root / "python")]

    def run_it(self, expected, *arguments, wrong="", visible=None):
        (self.root / "log").write_text("")
        command = [sys.executable, str(HERE / "bench_vs_peers.py"), "--ember", str(self.root / "ember"),
                   "-m", "random:big", "-p", "16", "-n", "8", "--rounds", "2", "--json",
                   str(self.root / "out.json"), *arguments]
        environment = dict(os.environ, FAKE_WRONG=wrong, FAKE_LOG=str(self.root / "log"))
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        if visible:
            environment["CUDA_VISIBLE_DEVICES"] = visible
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=100)
        self.assertEqual(done.returncode, expected, done.stdout)
        return done.stdout

    def result(self):
        return json.loads((self.root / "out.json").read_text())

    def log(self):
        return (self.root / "log").read_text().strip().split("\n")

    def rows(self):
        return {row["name"]: row for row in self.result()["engines"]}

    def test_everyone_on_the_same_scale(self):
        text = self.run_it(0, *self.llama, *self.python, "--compiled")
        whole, rows = self.result(), self.rows()
        self.assertEqual((whole["card"], whole["driver"], whole["commit"][:8], whole["not_measured"]),
                         ("Card A", "1.2.3", "01234567", {}))
        self.assertEqual(whole["ceilings"]["decode"], {"value": 2000.0, "rounds": [1000.0, 3000.0]})
        # name -> shares of prefill (1000 flops, 20000 a second) and decode (100 bytes, 2000), ratio
        for name, prefill, decode, ratio in (
                ("ember, bf16", 0.25, 0.5, 1.0), ("llama.cpp qwen3 big F16", 0.125, 0.25, 0.5),
                ("transformers eager, bfloat16", 0.0625, 0.125, 0.25),
                ("transformers compiled, bfloat16", 0.25, 0.5, 1.0)):
            with self.subTest(name):
                self.assertAlmostEqual(rows[name]["prefill"]["share"], prefill)
                self.assertAlmostEqual(rows[name]["decode"]["share"], decode)
                self.assertAlmostEqual(rows[name]["decode"]["ratio"], ratio)
                self.assertAlmostEqual(rows[name]["decode"]["median"], 10 * ratio)
                self.assertAlmostEqual(rows[name]["prefill"]["median"], 80 * ratio)
                self.assertEqual(len(rows[name]["decode"]["seconds"]), 4)
        self.assertIn("deadbeef", rows["llama.cpp qwen3 big F16"]["version"])
        self.assertIn("| transformers eager, bfloat16 | decode | 2.50 | 2.50 | 2.50 | 400 | 12.5 % | 0.250 |",
                      text)

    def test_turns_alternate_and_the_device_is_the_one_asked_for(self):
        self.run_it(0, *self.llama, *self.python, "--devices", "1", "--dtype", "fp16", visible="5,3")
        log = self.log()
        order = [line.split()[0] for line in log]
        self.assertEqual(order, ["transformers", "ember", "llama", "llama", "turn-eager", "turn-eager",
                                 "llama", "llama", "ember"])
        for line in log:
            name, visible = line.split()[:2]
            self.assertEqual(visible, "5,3" if name == "ember" else "3", line)
            if name == "ember":
                self.assertIn("--devices 1 --dtype fp16", line)
                self.assertIn("--golden-model", line)
            if name == "transformers":
                self.assertTrue(line.endswith("cuda:0 fp16"), line)
        tests = [line.split(" -p ")[1] for line in log if line.startswith("llama")]
        self.assertEqual(tests[:2], ["16 -n 0 -d 0 -r 2", "0 -n 8 -d 16 -r 2"])

    def test_a_missing_peer_is_named(self):
        text = self.run_it(0, *self.python)
        self.assertIn("not measured: llama.cpp (--llama-bench BINARY --gguf FILE)", text)
        self.assertIn("not measured: transformers compiled", text)
        text = self.run_it(0, *self.llama)
        self.assertIn("not measured: transformers (--transformers PYTHON)", text)

    def test_a_peer_that_fails_is_named_and_the_others_stay(self):
        for wrong, reason in (("crash", "failed to load model"), ("text", "no JSON"),
                              ("other", "give the same model"), ("depth", "0 results"),
                              ("nogpu", "sees no GPU")):
            with self.subTest(wrong):
                text = self.run_it(1, *self.llama, *self.python, wrong=wrong)
                self.assertRegex(text, "not measured: llama.cpp.*" + reason)
                self.assertEqual(sorted(self.rows()), ["ember, bf16", "transformers eager, bfloat16"])
        for wrong, reason, others in (("import", "No module named 'torch'", 2), ("ends", "Killed", 2),
                                      ("compile", "Unsupported: a graph", 3)):
            with self.subTest(wrong):
                text = self.run_it(1, *self.llama, *self.python, "--compiled", wrong=wrong)
                self.assertRegex(text, "not measured: transformers.*" + reason)
                self.assertEqual(len(self.rows()), others)

    def test_notes(self):
        self.assertIn("weights have 8.5 bits", self.run_it(0, *self.llama, wrong="q8"))
        text = self.run_it(0, *self.llama, wrong="cached")
        self.assertIn("not held against a ceiling", text)
        self.assertIsNone(self.rows()["ember, bf16"]["decode"]["share"])
        self.assertIsNotNone(self.rows()["ember, bf16"]["prefill"]["share"])

    def test_exit_codes(self):
        self.assertIn("no peer to compare with", self.run_it(2))
        self.assertIn("no device 7", self.run_it(5, *self.llama, "--devices", "7"))
        self.assertIn("does not fit", self.run_it(6, *self.llama, wrong="memory"))
        for options in (("--devices", "0,1"), ("-n", "0"), ("--gguf", str(self.root / "none")),
                        ("--compiled",), ("-m", "random:small"), ("--threads", "100000"),
                        ("--ember", str(self.root / "none")), ("--transformers", "no-such-python")):
            with self.subTest(options):
                self.run_it(2, *self.llama, *options)
        self.run_it(2, "--llama-bench", str(self.root / "llama-bench"))


if __name__ == "__main__":
    unittest.main()
