#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ember suite as its users call it: one report of all steps, its exports, exit codes, resuming.

    suite_cli_test.py EMBER SOURCE     EMBER: the binary; SOURCE: the root of the repository

Needs Python 3.8 and the package jsonschema (python3-jsonschema). Exit code 77 without it.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

try:
    import jsonschema
except ImportError:
    print("skipped: no Python package jsonschema")
    sys.exit(77)

EMBER, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
TINY = os.path.join(SOURCE, "golden", "models", "tiny")
REFS = os.path.join(SOURCE, "golden", "refs", "tiny")
STEPS = ("golden", "ceilings", "kernels", "p2p", "e2e", "phases")


class Suite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        with open(os.path.join(SOURCE, "reports", "schema.json")) as f:
            cls.validator = jsonschema.Draft202012Validator(json.load(f))
        cls.offered = subprocess.run([EMBER, "bench", "--help"], stdout=subprocess.PIPE).stdout.decode()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, *parts):
        return os.path.join(self.folder.name, *parts)

    def suite(self, out, *args, code=0, env=None):
        run = subprocess.run([EMBER, "suite", "--devices", "cpu", "-o", self.path(out), *args],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env={**os.environ, **(env or {})})
        self.assertEqual(run.returncode, code, run.stdout.decode() + run.stderr.decode())
        return run.stdout.decode(), run.stderr.decode()

    def report(self, out):
        with open(self.path(out, "report.json")) as f:
            report = json.load(f)
        self.validator.validate(report)
        return report, {c["id"]: c for c in report["cases"]}

    def test_a_whole_suite(self):
        out, _ = self.suite("whole", "--profile", "ci-quick", "-m", TINY)
        report, cases = self.report("whole")
        self.assertEqual(report["run"]["profile"], "ci-quick")
        self.assertEqual(report["run"]["status"], "complete")
        if not report["subject"]["build"]["sanitizers"]:  # they take several times as long
            self.assertLess(report["run"]["wall_s"], 180)
        self.assertEqual(report["model"]["name"], "tiny")
        self.assertEqual(len(report["model"]["weights_sha256"]), 64)
        for step in STEPS:
            check = cases["check/suite/" + step]
            self.assertIn(step, out)
            if step in ("p2p", "phases") and check["status"] == "skipped":
                self.assertNotIn("\n  %s " % step, self.offered)
                self.assertIn("no `ember bench " + step, check["reason"])
            else:
                self.assertEqual(check["status"], "ok", check["reason"])
        self.assertTrue(any(c["kind"] == "golden" and c["golden"]["pass"] for c in report["cases"]))
        for kind in ("kernel", "e2e"):
            measured = [c for c in report["cases"] if c["kind"] == kind]
            self.assertGreater(len(measured), 3)
            for case in measured:
                self.assertEqual(case["summary"]["processes"], 5, case["id"])
        self.assertIn("mem_read@cpu", [c["id"] for c in report["ceilings"]])
        # Orders of execution: no two processes of a case at once, later rounds later.
        orders = [s["order"] for c in report["cases"] if c["kind"] == "kernel" for s in c["samples"]]
        self.assertEqual(len(orders), len(set(orders)))
        subprocess.run([EMBER, "report", "validate", self.path("whole", "report.json")], check=True,
                       stdout=subprocess.DEVNULL)
        self.check_exports(report)
        # Two such reports can be compared: same machine, same code.
        run = subprocess.run([EMBER, "report", "compare", self.path("whole", "report.json"),
                              self.path("whole", "report.json")], stdout=subprocess.PIPE)
        if not report["subject"]["dirty"] and not report["subject"]["build"]["sanitizers"]:
            self.assertIn(run.returncode, (0, 3), run.stdout.decode())

    def check_exports(self, report):
        exports = self.path("whole", "exports")
        self.assertEqual([n for n in os.listdir(exports) if n.endswith(".tmp")], [])
        for name in ("gbench.json", "github-action-benchmark.json", "github-action-benchmark-bigger.json",
                     "bmf.json"):
            with open(os.path.join(exports, name)) as f:
                json.load(f)
        suites = ElementTree.parse(os.path.join(exports, "junit.xml")).getroot()
        self.assertEqual(len(suites.findall("testsuite/testcase")), len(report["cases"]))
        for name in ("metrics.prom", "report.csv", "report.md", "summary.md", "annotations.txt"):
            self.assertTrue(os.path.exists(os.path.join(exports, name)), name)
        with open(self.path("whole", "report.html")) as f:
            self.assertIn("check/suite/kernels", f.read())

    def test_a_reference_that_cannot_be_used_stops_the_measuring(self):
        refs = self.path("refs")
        shutil.copytree(REFS, refs)
        victim = os.path.join(refs, "cases", "ids_17.safetensors")
        with open(victim, "r+b") as f:
            f.seek(-5, os.SEEK_END)
            byte = f.read(1)
            f.seek(-5, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
        out, _ = self.suite("corrupt", "-m", TINY, "--golden", refs, "--processes", "1", code=4)
        report, cases = self.report("corrupt")
        self.assertEqual(report["run"]["status"], "failed")
        self.assertEqual(cases["check/suite/golden"]["status"], "failed")
        self.assertEqual(cases["check/suite/ceilings"]["status"], "ok")
        for step in ("kernels", "e2e"):
            self.assertEqual(cases["check/suite/" + step]["status"], "skipped")
            self.assertIn("wrong engine", cases["check/suite/" + step]["reason"])
        self.assertFalse([c for c in report["cases"] if c["kind"] in ("kernel", "e2e")])
        with open(self.path("corrupt", "parts", "golden-1.log")) as f:
            self.assertIn("ids_17", f.read())

    def test_a_golden_failure_is_exit_code_one(self):
        out, _ = self.suite("wrong", "-m", TINY, "--processes", "1", "--plant", "rope-sign", code=1)
        self.assertIn("failed: golden/", out)
        report, cases = self.report("wrong")
        self.assertEqual(cases["check/suite/kernels"]["status"], "skipped")
        bad = [c for c in report["cases"] if c["kind"] == "golden" and c["status"] == "failed"]
        self.assertTrue(bad and not bad[0]["golden"]["pass"])

    def test_an_interrupted_suite_is_resumed(self):
        args = [EMBER, "suite", "--devices", "cpu", "-o", self.path("again"), "-m", TINY,
                "--processes", "2", "--only", "ceilings,kernels"]
        run = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in run.stderr:
            if b"kernels-1" in line:
                run.send_signal(signal.SIGTERM)
                break
        out = run.communicate()[0].decode()
        self.assertEqual(run.returncode, 143, out)
        report, cases = self.report("again")
        self.assertEqual(report["run"]["status"], "interrupted")
        self.assertEqual(cases["check/suite/ceilings"]["status"], "ok")
        self.assertEqual(cases["check/suite/e2e"]["reason"], "left out by --only")
        done = subprocess.run([*args, "--resume"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertRegex(done.stdout.decode(), r"ceilings +1 processes.*1 kept")
        self.assertNotIn("ceilings-1", done.stderr.decode())
        report, cases = self.report("again")
        self.assertEqual(report["run"]["status"], "complete")
        self.assertEqual(cases["check/suite/kernels"]["status"], "ok")
        state = self.path("again", "suite.json")
        with open(state) as f:
            text = json.load(f)
        text["binary_sha256"] = "0" * 64
        with open(state, "w") as f:
            json.dump(text, f)
        done = subprocess.run([*args, "--resume"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("another binary", done.stderr.decode())
        with open(state, "w") as f:
            f.write("{")
        done = subprocess.run([*args, "--resume"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 4)

    def test_the_report_alone_on_stdout(self):
        out, err = self.suite("alone", "-m", TINY, "--only", "ceilings", "--json", "-")
        self.validator.validate(json.loads(out))
        self.assertIn("left out by --only", err)

    def test_plans_and_usage(self):
        out, _ = self.suite("never", "-m", "random:qwen3-8b", "--profile", "ci-full", "--dry-run")
        self.assertIn("5 x ember bench kernels --preset qwen3-8b", out)
        self.assertIn("golden: skipped: random:qwen3-8b has no references", out)
        out, _ = self.suite("never", "-m", "random:qwen3-8b", "--golden-model", TINY, "--dry-run")
        self.assertIn("golden: 1 x ember golden run -m " + TINY, out)
        self.assertEqual(out.count("--no-golden"), 1, out)
        self.assertFalse(os.path.exists(self.path("never")))
        _, err = self.suite("never", "-m", TINY, "--only", "kernel", code=2)
        self.assertIn("--only", err)
        self.suite("never", "-m", TINY, "--profile", "weekly", code=2)
        self.suite("never", "-m", self.path("absent"), code=4)
        run = subprocess.run([EMBER, "suite", "-m", TINY, "--devices", "cpu"], stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
