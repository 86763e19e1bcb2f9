#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every export of ember report, read by the tool it is for, or by its published parser or rules.

    export_test.py EMBER SAMPLES     EMBER: the binary; SAMPLES: the program report_samples

Needs Python 3.8 and prometheus_client; Google Benchmark's compare.py where it is installed
(libbenchmark-tools), with its numpy and scipy. Exit code 77 without prometheus_client.
"""
import csv
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    print("skipped: no Python package prometheus_client")
    sys.exit(77)

EMBER, SAMPLES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
COMPARE = "/usr/share/benchmark/compare.py"
HOSTILE = "</script><img src=x onerror=alert(1)>|\"'`,;\n=cmd()%0A::error::\u202e {}\\"


class Exports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([SAMPLES, cls.folder.name], check=True)
        cls.path = os.path.join(cls.folder.name, "sample.json")
        with open(cls.path) as f:
            cls.report = json.load(f)
        hostile = json.loads(json.dumps(cls.report))
        for i, case in enumerate(hostile["cases"]):
            case["id"] = "%d %s" % (i, HOSTILE)
            case["reason"] = case["reason"] and HOSTILE
        hostile["subject"]["commit"] = hostile["env"]["gpus"][0]["name"] = HOSTILE
        cls.hostile = os.path.join(cls.folder.name, "hostile.json")
        with open(cls.hostile, "w") as f:
            json.dump(hostile, f)
        cls.cases = {c["id"]: c for c in cls.report["cases"]}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def export(self, form, path=None):
        run = subprocess.run([EMBER, "report", "export", path or self.path, "--format", form],
                             stdout=subprocess.PIPE, check=True)
        return run.stdout.decode()

    def measured(self):
        return [c for c in self.report["cases"] if c["status"] in ("ok", "noisy") and c["samples"]]

    def test_gbench(self):
        for path in (self.path, self.hostile):
            document = json.loads(self.export("gbench", path))
            entries = [b for b in document["benchmarks"] if b["run_type"] == "iteration"
                       and not b.get("error_occurred")]
            self.assertEqual(len(entries), sum(len(c["samples"]) for c in self.measured()))
        medians = [b for b in json.loads(self.export("gbench"))["benchmarks"]
                   if b.get("aggregate_name") == "median"]
        for b in medians:
            case = self.cases[b["run_name"]]
            if case["unit"] == "s":
                self.assertLess(abs(b["real_time"] / (1e9 * case["summary"]["median"]) - 1), 0.02)

    def test_gbench_is_read_by_compare_py(self):
        if not os.path.exists(COMPARE):
            self.skipTest("no " + COMPARE)
        names = []
        for side in ("a", "slow"):
            names.append(os.path.join(self.folder.name, side + ".gbench.json"))
            with open(names[-1], "w") as f:
                f.write(self.export("gbench", os.path.join(self.folder.name, side + ".json")))
        for python in ("/usr/bin/python3", sys.executable):
            if subprocess.run([python, "-c", "import numpy, scipy"], stderr=subprocess.DEVNULL).returncode == 0:
                break
        else:
            self.skipTest("compare.py needs numpy and scipy")
        dump = os.path.join(self.folder.name, "compare.json")
        run = subprocess.run([python, COMPARE, "-d", dump, "--no-color", "benchmarks", *names],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        with open(dump) as f:
            rows = {row["name"]: row for row in json.load(f)}
        self.assertEqual(len([n for n in rows if n.endswith("M=1")]), 4)
        slow = rows["kernel/op2/M=1"]
        self.assertGreater(slow["utest"]["time_pvalue"], 0)
        self.assertLess(slow["utest"]["time_pvalue"], 0.001)
        self.assertGreater(slow["measurements"][0]["time"], 0)

    def test_github_action_benchmark(self):
        seen = []
        for form, better in (("github-action-benchmark", "lower"),
                             ("github-action-benchmark-bigger", "higher")):
            for path in (self.path, self.hostile):
                entries = json.loads(self.export(form, path))
                for entry in entries:
                    self.assertEqual(set(entry), {"name", "unit", "value", "range", "extra"})
                    self.assertIsInstance(entry["value"], (int, float))
                    for key in ("name", "unit", "range", "extra"):
                        self.assertIsInstance(entry[key], str)
            for entry in json.loads(self.export(form)):
                case = self.cases[entry["name"]]
                self.assertEqual(case["better"], better)
                self.assertAlmostEqual(entry["value"] / case["summary"]["median"], 1, 6)
                seen.append(entry["name"])
        self.assertEqual(sorted(seen), sorted(c["id"] for c in self.measured()
                                              if c["better"] != "none"))

    def test_bencher_metric_format(self):
        for path in (self.path, self.hostile):
            document = json.loads(self.export("bmf", path))
            self.assertEqual(len(document), len(self.measured()))
            for benchmark, measures in document.items():
                self.assertTrue(0 < len(benchmark) <= 1024)
                for slug, metric in measures.items():
                    self.assertRegex(slug, r"^[a-z0-9]+(-[a-z0-9]+)*$")
                    self.assertLessEqual(len(slug), 64)
                    self.assertEqual(set(metric), {"value", "lower_value", "upper_value"})
                    self.assertLessEqual(metric["lower_value"], metric["value"])
                    self.assertLessEqual(metric["value"], metric["upper_value"])

    def test_junit(self):
        for path in (self.path, self.hostile):
            root = ElementTree.fromstring(self.export("junit", path))
            self.assertEqual(root.tag, "testsuites")
            cases = root.findall("testsuite/testcase")
            self.assertEqual(len(cases), len(self.report["cases"]))
            for suite in root:
                # The published schema: these attributes, this order of children.
                for key in ("name", "tests", "failures", "errors", "time", "timestamp", "hostname"):
                    self.assertIn(key, suite.attrib)
                self.assertRegex(suite.get("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
                self.assertEqual(suite[0].tag, "properties")
                self.assertEqual({e.tag for e in suite[1:]}, {"testcase"})
                self.assertEqual(int(suite.get("tests")), len(suite.findall("testcase")))
                self.assertEqual(int(suite.get("failures")), len(suite.findall("testcase/failure")))
                self.assertEqual(int(suite.get("skipped")), len(suite.findall("testcase/skipped")))
                for case in suite.findall("testcase"):
                    float(case.get("time"))
                    self.assertTrue(case.get("name") and case.get("classname"))
                    for failure in case.findall("failure"):
                        self.assertTrue(failure.get("type") and failure.text)
        bad = [c for c in ElementTree.fromstring(self.export("junit")).iter("testcase")
               if c.find("failure") is not None]
        self.assertIn("first bad: layer 3 k_rope", bad[0].find("failure").text)

    def test_verdicts_of_the_gate(self):
        for base, new, code, failures, errors in (("a", "slow", 1, 1, 0), ("a", "b", 0, 0, 0),
                                                  ("a", "single", 3, 0, 4)):
            out = [os.path.join(self.folder.name, n) for n in ("gate.xml", "gate.md")]
            run = subprocess.run([EMBER, "report", "compare",
                                  *(os.path.join(self.folder.name, n + ".json") for n in (base, new)),
                                  "--junit", out[0], "--summary", out[1]], stdout=subprocess.DEVNULL)
            self.assertEqual(run.returncode, code)
            suite = ElementTree.parse(out[0]).getroot()[0]
            self.assertEqual(len(suite.findall("testcase/failure")), failures)
            self.assertEqual(len(suite.findall("testcase/error")), errors)
            for key in ("tests", "failures", "errors"):
                tag = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
                self.assertEqual(int(suite.get(key)), len(suite.findall(tag[key])))
            with open(out[1]) as f:
                text = f.read()
            self.assertEqual(text.count("\n| kernel"), failures + errors)
            self.assertIn({0: "passes", 1: "worse", 3: "inconclusive"}[code], text.splitlines()[0])
        run = subprocess.run([EMBER, "report", "compare", self.hostile, self.hostile, "--junit", out[0],
                              "--summary", out[1]], stdout=subprocess.DEVNULL)
        self.assertEqual(run.returncode, 1)
        ElementTree.parse(out[0])
        with open(out[1]) as f:
            self.assertNotIn("<", f.read())

    def test_openmetrics(self):
        for path in (self.path, self.hostile):
            text = self.export("openmetrics", path)
            self.assertTrue(text.endswith("# EOF\n"))
            families = {f.name: f for f in text_string_to_metric_families(text)}
            self.assertEqual(families["ember_time_seconds"].unit, "seconds")
            self.assertEqual(sum(s.value for s in families["ember_cases"].samples),
                             len(self.report["cases"]))
            ids = [s.labels["id"] for f in families.values() for s in f.samples
                   if "id" in s.labels and f.name != "ember_ceiling_ratio"]
            self.assertEqual(len(ids), len(set(ids)))
        values = {s.labels["id"]: s.value
                  for f in text_string_to_metric_families(self.export("openmetrics"))
                  for s in f.samples if "id" in s.labels and f.name != "ember_ceiling_ratio"}
        for case in self.measured():
            self.assertAlmostEqual(values[case["id"]] / case["summary"]["median"], 1, 6)

    def test_csv(self):
        for path in (self.path, self.hostile):
            rows = list(csv.DictReader(io.StringIO(self.export("csv", path), newline="")))
            self.assertEqual(len(rows), len(self.report["cases"]))
            for row, case in zip(rows, self.report["cases"]):
                self.assertEqual(row["status"], case["status"])
                self.assertNotIn(None, row)
                self.assertNotIn(row["reason"][:1], ("=", "+", "-", "@"))
                if case["samples"]:
                    self.assertAlmostEqual(float(row["median"]) / case["summary"]["median"], 1, 6)

    def test_markdown_and_summary(self):
        for path in (self.path, self.hostile):
            for form in ("markdown", "gh-summary"):
                lines = self.export(form, path).splitlines()
                table = [line for line in lines if line.startswith("|")]
                self.assertEqual(len(table), min(30, len(self.report["cases"])) + 2)
                for line in table:
                    self.assertEqual(line.count("|"), 7, line)
                    self.assertNotIn("<", line)

    def test_annotations(self):
        for path in (self.path, self.hostile):
            lines = self.export("gh-annotations", path).splitlines()
            self.assertEqual(len(lines), 2)
            for line in lines:
                self.assertRegex(line, r"^::(error|warning) title=[^:,]*::")
            self.assertTrue(lines[0].startswith("::error"))

    def test_unknown_format_is_a_usage_error(self):
        run = subprocess.run([EMBER, "report", "export", self.path, "--format", "xls"],
                             stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 2)
        self.assertTrue(re.search("gbench", run.stderr.decode()))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
