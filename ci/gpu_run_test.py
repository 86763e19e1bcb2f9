#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests ci/gpu.sh without a GPU: a build, nvidia-smi and compute-sanitizer that only pretend."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from gpu_steps import all_steps  # noqa: E402

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# Writes down when it starts and ends, then behaves as the variables say.
PROGRAM = """#!/bin/bash
name=${0##*/}
if [ "$1" = --version ]; then echo "ember 1 (${FAKE_COMMIT})"; exit 0; fi
what="$name|$*|$GTEST_SHARD_INDEX/$GTEST_TOTAL_SHARDS|$EMBER_POISON"
echo "start $EPOCHREALTIME $what" >>"$FAKE_LOG"
/bin/sleep "$FAKE_SLEEP"
echo "end $EPOCHREALTIME $what" >>"$FAKE_LOG"
if [ -n "$FAKE_FAIL" ] && [[ "$what" =~ $FAKE_FAIL ]]; then
  for i in {1..60}; do echo "line $i of $name"; done
  exit 1
fi
if [ -n "$FAKE_SKIP" ] && [[ "$what" =~ $FAKE_SKIP ]]; then
  echo "[  SKIPPED ] Some.Test (0 ms)"
  exit 0
fi
[ -n "$FAKE_EMPTY" ] && [[ "$what" =~ $FAKE_EMPTY ]] && exit 0
[ "$name" = ember ] && { echo "PASS in 1 s"; exit 0; }
echo "[       OK ] Some.Test (1 ms)"
"""
SANITIZER = """#!/bin/bash
while [ "${1#--}" != "$1" ]; do shift; [ "${1#/}" = "$1" ] && shift; done
"$@" || exit $?
[ -n "$FAKE_HAZARDS" ] && { echo "$FAKE_HAZARDS"; exit 9; }
[ -n "$FAKE_FINDING" ] && { echo "========= ERROR SUMMARY: 3 errors"; exit 0; }
[ -n "$FAKE_SILENT" ] || echo "========= ERROR SUMMARY: 0 errors"
"""
SMI = """#!/bin/bash
[ -n "$FAKE_CARD" ] || exit 9
case "$*" in *driver*) echo 1.2.3 ;; *) echo "$FAKE_CARD" ;; esac
"""


class GpuRun(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ember-gpu-test-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.out, self.log = os.path.join(self.root, "gpu.json"), os.path.join(self.root, "log")
        for name in {s.program for s in all_steps(False)}:
            self.script("build/" + name, PROGRAM)
        self.script("bin/nvidia-smi", SMI)
        self.script("bin/compute-sanitizer", SANITIZER)

    def script(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)

    def start(self, *arguments, **fakes):
        settings = {"CARD": "Card A", "COMMIT": COMMIT, "SLEEP": "0", "LOG": self.log}
        settings.update(fakes)
        environment = {"PATH": os.path.join(self.root, "bin")}
        environment.update({"FAKE_" + k: v for k, v in settings.items()})
        return subprocess.Popen(
            [sys.executable, os.path.join(HERE, "gpu_run.py"), "--build",
             os.path.join(self.root, "build"), "--out", self.out] + list(arguments),
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_it(self, expected, *arguments, **fakes):
        process = self.start(*arguments, **fakes)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, expected, out + err)
        return out + err

    def result(self):
        with open(self.out) as f:
            return json.load(f)

    def rows(self):
        return {row["name"]: row for row in self.result()["steps"]}

    def events(self):
        with open(self.log) as f:
            return [line.rstrip("\n").split(" ", 2) for line in f]

    def test_everything_passes(self):
        text = self.run_it(0, "--quick", "--jobs", "4", SLEEP="0.05")
        result = self.result()
        names = [s.name for s in all_steps(True)]
        self.assertEqual([row["name"] for row in result["steps"]], names)
        self.assertEqual(re.findall(r"^== (.*): passed", text, re.M), names)
        self.assertTrue(result["complete"] and result["quick"])
        self.assertEqual((result["schema"], result["card"], result["driver"], result["commit"],
                          result["failed"], result["expected"]),
                         ("ember.gpu_ci/2", "Card A", "1.2.3", COMMIT, 0, len(names)))
        # What looks at the clock or at free memory runs first and alone, the rest side by side.
        running, most, order = 0, 0, []
        alone = sum(s.alone for s in all_steps(True))
        for what, _, name in self.events():
            running += 1 if what == "start" else -1
            most = max(most, running)
            if what == "start":
                order.append(name)
                self.assertTrue(running == 1 or len(order) > alone, order)
        self.assertEqual(sorted(n.split("|")[0] for n in order[:alone]),
                         ["base_test", "bench_cuda_test", "cuda_runtime_test", "measure_test",
                          "p2p_test"])
        self.assertTrue(2 <= most <= 4, most)

    def test_long_steps_start_first(self):
        self.run_it(0, "--quick", "--jobs", "1")
        order = [name.split("|")[0] for what, _, name in self.events() if what == "start"]
        steps = all_steps(True)
        wanted = [s.program for s in steps if s.alone]
        wanted += [s.program for s in sorted((s for s in steps if not s.alone),
                                             key=lambda s: -s.cost)]
        self.assertEqual(order, wanted)

    def test_all_steps_fit_one_call(self):
        for quick, seconds in ((True, 200), (False, 420)):
            steps = all_steps(quick)
            side_by_side = [s.cost for s in steps if not s.alone]
            self.assertLess(sum(side_by_side) / 8, seconds)
            self.assertLess(max(side_by_side), 130)  # one long step at the end would be waited for

    def test_memcheck_alone_sees_every_case(self):
        for step in all_steps(False):
            if step.kind != "sanitize" or step.program == "cuda_runtime_test":
                continue
            tool, filters = step.name.split(" ")[0], step.command[-1]
            if (tool, step.program) == ("initcheck", "linear_cuda_test"):
                self.assertEqual(filters, "--gtest_filter=*GemvShapes*")
            else:
                self.assertEqual(filters, "--gtest_filter=" +
                                 ("*" if tool == "memcheck" else "-*Long.*"), step.name)

    def test_shards_share_one_set_of_tests(self):
        self.run_it(0, "--steps", "^racecheck linear", "--jobs", "2")
        shards = sorted(name.split("|")[2] for what, _, name in self.events() if what == "start")
        self.assertEqual(shards, ["%d/6" % i for i in range(6)])
        self.assertEqual(list(self.rows()), ["racecheck linear_cuda_test %d/6" % i
                                             for i in range(1, 7)])

    def test_a_failure_shows_the_end_of_its_log(self):
        text = self.run_it(1, "--steps", "^(embed|copy|swiglu)_", FAIL="^embed_")
        self.assertIn("== embed_cuda_test: FAILED with 1", text)
        self.assertIn("line 60 of embed_cuda_test", text)
        self.assertNotIn("line 20 of", text)
        self.assertEqual({n: r["status"] for n, r in self.rows().items()},
                         {"copy_cuda_test": "passed", "embed_cuda_test": "failed",
                          "swiglu_cuda_test": "passed"})
        self.assertEqual(self.result()["failed"], 1)
        self.assertFalse(self.result()["complete"])

    def test_hazards_that_racecheck_cannot_judge_do_not_count(self):
        def hazard(first, second, first_is="Write", second_is="Read"):
            return ("========= Error: Race reported between %s access at %s+0x2b80\n"
                    "=========     and Read access at %s+0x90 [16 hazards]\n"
                    "=========     and %s access at %s+0xa0 [1 hazards]\n========= \n" %
                    (first_is, first, second, second_is, second))

        def summary(n):
            return ("========= RACECHECK SUMMARY: %d hazard%s displayed (%d errors, 0 warnings)" %
                    (n, "s" if n > 1 else "", n))
        library, ours = "nvjet_hsh_64x8_64x16_4x1_v_bz_TNT", "void ember::k::copy_kernel<float>(int)"
        one = ("--steps", "^racecheck copy_")
        self.run_it(0, *one, HAZARDS=hazard(library, library) + summary(1))
        self.assertIn("in cuBLAS alone", self.rows()["racecheck copy_cuda_test"]["detail"])
        copy = "ember::k::layers::bulk_copy(unsigned int, const void *, int)"
        self.run_it(0, *one, HAZARDS=hazard(copy, ours) + hazard(library, library) + summary(2))
        self.assertIn("in cuBLAS and bulk copies alone",
                      self.rows()["racecheck copy_cuda_test"]["detail"])
        self.run_it(1, *one, HAZARDS=hazard(copy, ours, second_is="Write") + summary(1))
        self.run_it(1, *one, HAZARDS=hazard(copy, ours, first_is="Read") + summary(1))
        self.run_it(1, *one, HAZARDS=hazard(ours, copy) + summary(1))
        self.run_it(1, *one, HAZARDS=hazard(library, ours) + summary(1))
        self.run_it(1, *one, HAZARDS=hazard(library, library) + hazard(ours, ours) + summary(2))
        self.run_it(1, *one, HAZARDS=hazard(library, library) + summary(2))
        self.run_it(1, *one, HAZARDS=hazard(library, library) + summary(1), FAIL="^copy_")
        self.run_it(1, *one, HAZARDS=hazard(library, library) + "[  FAILED  ] A.B\n" + summary(1))

    def test_looking_at_nothing_is_a_failure(self):
        one = ("--steps", "^(copy_cuda_test|memcheck copy_)")
        self.run_it(1, *one, SKIP="^copy_")
        self.assertEqual([r["exit_code"] for r in self.rows().values()], [77, 77])
        self.run_it(1, *one, EMPTY="^copy_")
        self.assertEqual([r["exit_code"] for r in self.rows().values()], [77, 77])
        for fake in ("FINDING", "SILENT"):
            self.run_it(1, *one, **{fake: "1"})
            self.assertEqual([r["exit_code"] for r in self.rows().values()], [0, 9])

    def test_what_is_missing_is_named(self):
        os.remove(os.path.join(self.root, "build", "copy_cuda_test"))
        os.remove(os.path.join(self.root, "bin", "compute-sanitizer"))
        text = self.run_it(1, "--steps", "^(copy_cuda_test|memcheck embed)")
        self.assertRegex(text, "copy_cuda_test: FAILED with 127 .* is missing: build target")
        self.assertRegex(text, "memcheck .*FAILED with 127 .*compute-sanitizer is not on PATH")

    def test_append(self):
        self.run_it(1, "--steps", "^golden|^copy_", FAIL="^copy_")
        first = self.rows()
        self.run_it(0, "--append", "--steps", "^copy_|^embed_")
        second = self.rows()
        self.assertEqual(second["copy_cuda_test"]["status"], "passed")
        self.assertEqual(second["golden tiny bf16"], first["golden tiny bf16"])
        self.assertEqual(set(second), set(first) | {"embed_cuda_test"})
        self.assertEqual([n for n in (s.name for s in all_steps(False)) if n in second],
                         list(second))
        os.remove(self.log)
        self.run_it(0, "--append", "--missing")
        self.assertTrue(self.result()["complete"])
        ran = sum(what == "start" for what, _, _ in self.events())
        self.assertEqual(ran, len(all_steps(False)) - len(second))
        self.run_it(0, "--append", "--missing")

    def test_rows_of_other_things_do_not_mix(self):
        self.run_it(0, "--steps", "^copy_")
        with open(self.out) as f:
            before = f.read()
        again = ("--append", "--steps", "^embed_")
        for text, more, fakes in (('has card "Card A", this run has "Card B"', (),
                                   {"CARD": "Card B"}),
                                  ("commit", (), {"COMMIT": COMMIT[::-1]}),
                                  ("has quick false, this run has true", ("--quick",), {})):
            self.assertIn(text, self.run_it(2, *again, *more, **fakes))
        with open(self.out) as f:
            self.assertEqual(f.read(), before)
        for broken in ("{", "[]", '{"schema": "ember.gpu_ci/1", "steps": []}'):
            with open(self.out, "w") as f:
                f.write(broken)
            self.run_it(2, *again)
        os.remove(self.out)
        self.run_it(0, *again, COMMIT="none")
        self.assertIn("does not tell its commit", self.run_it(2, *again, COMMIT="none"))

    def test_limit_and_signal_keep_what_is_done(self):
        some = ("--steps", "^(copy|embed|swiglu)_", "--jobs", "1")
        text = self.run_it(3, "--limit", "1.5", *some, SLEEP="1")
        self.assertIn("stopped by --limit", text)
        self.assertEqual(list(self.rows()), ["copy_cuda_test"])
        os.remove(self.log)
        process = self.start("--append", *some, SLEEP="30")
        while not os.path.exists(self.log):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 3, out + err)
        self.assertEqual(list(self.rows()), ["copy_cuda_test"])
        self.run_it(0, "--append", "--missing", *some)
        self.assertEqual(len(self.rows()), 3)

    def test_list_and_wrong_calls(self):
        self.assertEqual(self.run_it(0, "--list").split("\n")[:-1],
                         [s.name for s in all_steps(False)])
        for quick in (False, True):
            names = [s.name for s in all_steps(quick)]
            self.assertEqual(len(names), len(set(names)))
        self.assertEqual(self.run_it(0, "--list", "--steps", "^golden odd bf16$"),
                         "golden odd bf16\n")
        for wrong in (("--steps", "("), ("--steps", "no such step"), ("--jobs", "0"),
                      ("--missing",), ("--nonsense",)):
            self.run_it(2, *wrong)
        self.assertFalse(os.path.exists(self.out))

    def test_without_a_gpu(self):
        self.assertIn("no GPU", self.run_it(5, CARD=""))


if __name__ == "__main__":
    unittest.main()
