#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ember report as its users call it, and its reports judged by an independent JSON Schema validator.

    report_cli_test.py EMBER SAMPLES     EMBER: the binary; SAMPLES: the program report_samples

Needs Python 3.8 and the package jsonschema (python3-jsonschema). Exit code 77 without it.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
except ImportError:
    print("skipped: no Python package jsonschema")
    sys.exit(77)

EMBER, SAMPLES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "reports",
                      "schema.json")


def ember(*args, code=0):
    run = subprocess.run([EMBER, "report", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = run.stdout.decode(), run.stderr.decode()
    assert run.returncode == code, "exit %d, expected %d\n%s%s" % (run.returncode, code, out, err)
    return out, err


def paths_of(value, at=()):
    yield at
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if "samples" in at and isinstance(key, int) and key > 0:
            break  # one process, one value
        yield from paths_of(item, at + (key,))


def parent(document, path):
    for key in path[:-1]:
        document = document[key]
    return document


def mutants(report):
    """Each field removed, and replaced by a third of values of every type and size; fields added."""
    values = [None, True, -1, 1.5, 3.0, 1e299, 2 ** 53, "", "x" * 5000, {}, [1, 2], "é" * 512]
    for number, path in enumerate(paths_of(report)):
        if path:
            gone = copy.deepcopy(report)
            del parent(gone, path)[path[-1]]
            yield path + ("gone",), gone
        for value in values[number % 3::3]:
            other = copy.deepcopy(report)
            if path:
                parent(other, path)[path[-1]] = value
            else:
                other = value
            yield path + (repr(value)[:20],), other
        target = parent(report, path + ("",)) if path else report
        if isinstance(target, dict):
            for key in ("surprise", "x_free", "x", ""):
                more = copy.deepcopy(report)
                parent(more, path + ("",))[key] = 1
                yield path + ("more " + key,), more


def small(report):
    """The sample with one case of each kind and status, two processes, two values."""
    out, seen = copy.deepcopy(report), set()
    out["cases"] = []
    for case in report["cases"]:
        key = (case["kind"], case["status"])
        if key not in seen:
            seen.add(key)
            out["cases"].append(copy.deepcopy(case))
    out["env"]["gpus"] = out["env"]["gpus"][:1]
    for case in out["cases"]:
        if case.get("golden"):
            case["golden"]["layers"] = case["golden"]["layers"][:1]
    return out


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([SAMPLES, cls.folder.name], check=True)
        cls.path = os.path.join(cls.folder.name, "sample.json")
        with open(cls.path) as f:
            cls.report = json.load(f)
        with open(SCHEMA) as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        cls.validator = jsonschema.Draft202012Validator(schema)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, text):
        with open(self.file(name), "w") as f:
            f.write(text)
        return self.file(name)

    def test_what_is_written_passes_the_schema(self):
        for name in sorted(os.listdir(self.folder.name)):
            if name.endswith(".json"):
                with open(self.file(name)) as f:
                    self.validator.validate(json.load(f))
        ember("validate", self.path)

    def test_reader_and_schema_judge_alike(self):
        """Summaries are recomputed by the reader: mutants of samples and summary are left out where
        the schema passes them, as are ids made equal and references cut; the C++ tests hold those."""
        beyond = ("samples", "summary", "ref", "id", "ceilings", "process")
        folder = tempfile.TemporaryDirectory()
        names, wanted, where = [], [], []
        for i, (path, document) in enumerate(mutants(small(self.report))):
            fine = self.validator.is_valid(document)
            if fine and any(key in beyond for key in path):
                continue
            names.append(os.path.join(folder.name, "%d.json" % i))
            with open(names[-1], "w") as f:
                json.dump(document, f)
            wanted.append(fine)
            where.append(path)
        verdicts = []
        for at in range(0, len(names), 500):
            run = subprocess.run([EMBER, "report", "validate", *names[at:at + 500]],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.assertIn(run.returncode, (0, 4))
            verdicts += [": ok" in line for line in run.stdout.decode().splitlines()]
        folder.cleanup()
        self.assertEqual(len(verdicts), len(wanted))
        differ = [(w, "schema passes" if fine else "schema refuses")
                  for w, fine, got in zip(where, wanted, verdicts) if fine != got]
        self.assertEqual(differ, [])
        print("%d mutants: %d pass, %d are refused, by both" %
              (len(wanted), sum(wanted), len(wanted) - sum(wanted)))
        self.assertGreater(sum(wanted), 100)
        self.assertGreater(len(wanted) - sum(wanted), 1500)

    def test_bad_files_name_file_and_field(self):
        cut = self.write("cut.txt", json.dumps(self.report)[:5000])
        _, err = ember("validate", cut, code=4)
        self.assertIn("byte", err)
        self.assertIn(cut, err)
        bad = copy.deepcopy(self.report)
        bad["cases"][3]["better"] = "faster"
        _, err = ember("show", self.write("bad.txt", json.dumps(bad)), code=4)
        self.assertIn("cases[3].better", err)
        ember("show", self.file("absent.txt"), code=4)
        ember("compare", self.path, cut, code=4)

    def test_show_prints_every_case(self):
        out, _ = ember("show", self.path)
        for case in self.report["cases"]:
            self.assertIn(case["id"], out)
        self.assertIn("failed: dp_max", out)

    def test_compare_exit_codes(self):
        a, b, slow = (self.file(n) for n in ("a.json", "b.json", "slow.json"))
        ember("compare", a, b)
        out, _ = ember("compare", a, slow, code=1)
        self.assertIn("worse  kernel/op2/M=1", out)
        out, err = ember("compare", a, slow, "--json", "-", code=1)
        verdicts = json.loads(out)
        self.assertEqual([c["id"] for c in verdicts["cases"] if c["verdict"] == "worse"],
                         ["kernel/op2/M=1"])
        self.assertIn("WORSE", err)
        ember("compare", a, slow, "--advisory")
        ember("compare", a, self.path, code=3)
        ember("compare", a, self.file("single.json"), code=3)
        loose = self.write("policy.txt", '{"schema":"ember.policy/1","floors":{"kernel":0.5}}')
        out, _ = ember("compare", a, slow, "--policy", loose)
        self.assertIn("looser than the defaults", out)
        wrong = self.write("wrong.txt", '{"schema":"ember.policy/1","floor":1}')
        _, err = ember("compare", a, slow, "--policy", wrong, code=2)
        self.assertIn("floor", err)

    def fake_bench(self, name, slowdown, seed, before=""):
        """A bench that plants a delay: a shell script whose processes draw seeds one after another."""
        count = self.write(name + ".count", str(seed))
        path = self.write(name, """#!/bin/sh
%s
n=$(cat '%s'); echo $((n + 1)) > '%s'
[ "$1" = bench ] || exit 2
exec '%s' --bench $n %s "$3" "$5"
""" % (before, count, count, SAMPLES, slowdown))
        os.chmod(path, 0o755)
        return path

    def ab(self, a, b, *flags, code=0):
        return ember("ab", "--a", a, "--b", b, *flags, "--", "bench", "--ids", "{ids}", "--json",
                     "{out}", code=code)

    def test_ab_finds_a_planted_delay(self):
        a, b = self.fake_bench("a.sh", 1, 100), self.fake_bench("b.sh", 1.05, 300)
        kept = self.file("ab")
        out, err = self.ab(a, b, "-o", kept, code=1)
        self.assertIn("worse  kernel/op2/M=1", out)
        self.assertIn("interleaved", out)
        with open(os.path.join(kept, "compare.json")) as f:
            verdicts = json.load(f)
        self.assertEqual([c["id"] for c in verdicts["cases"] if c["verdict"] == "worse"],
                         ["kernel/op2/M=1"])
        self.assertLess(verdicts["attainable_p"], 0.001)
        order = [line.split()[-1] for line in err.splitlines() if ": process " in line]
        self.assertEqual(order[:10].count("A"), 5)
        self.assertEqual(len(order), 2 * (5 + 9))
        for i in range(0, len(order), 2):
            self.assertNotEqual(order[i], order[i + 1])
        with open(os.path.join(kept, "b.json")) as f:
            merged = json.load(f)
        self.validator.validate(merged)
        samples = {c["id"]: len(c["samples"]) for c in merged["cases"]}
        self.assertEqual(samples["kernel/op2/M=1"], 14)
        self.assertEqual(samples["kernel/op0/M=1"], 5)  # not flagged: not run again

    def test_ab_of_the_same_code_passes(self):
        out, _ = self.ab(self.fake_bench("c.sh", 1, 500), self.fake_bench("d.sh", 1, 700))
        self.assertIn("PASS", out)

    def test_ab_names_what_goes_wrong(self):
        good = self.fake_bench("e.sh", 1, 900)
        _, err = self.ab(good, self.fake_bench("f.sh", 1, 900, "echo broken; exit 9"), code=3)
        self.assertIn("exit code 9", err)
        _, err = self.ab(good, self.fake_bench("g.sh", 1, 900, "sleep 30"), "--limit", "0.3", code=7)
        self.assertIn("longer than 0.3 s", err)
        _, err = self.ab(good, self.file("absent.sh"), code=2)
        self.assertIn("cannot be started", err)
        self.ab(good, self.fake_bench("h.sh", 1, 900, 'echo "{" > "$5"; exit 0'), code=4)

    def test_merge_adds_processes_and_keeps_extensions(self):
        first, second = copy.deepcopy(self.report), copy.deepcopy(self.report)
        first["x_top"], second["cases"][0]["x_case"] = {"kept": [1]}, "kept"
        second["run"]["id"] = "second"
        out, _ = ember("merge", self.write("m1.txt", json.dumps(first)),
                       self.write("m2.txt", json.dumps(second)), "-o", "-")
        merged = json.loads(out)
        self.validator.validate(merged)
        self.assertEqual(merged["x_top"], {"kept": [1]})
        self.assertEqual(merged["cases"][0]["x_case"], "kept")
        before, after = self.report["cases"][0], merged["cases"][0]
        self.assertEqual(len(after["samples"]), 2 * len(before["samples"]))
        self.assertEqual(len({s["process"] for s in after["samples"]}), len(after["samples"]))
        self.assertEqual(after["summary"]["n"], 2 * before["summary"]["n"])
        self.assertLess(max(s["order"] for s in before["samples"]),
                        min(s["order"] for s in after["samples"][len(before["samples"]):]))
        other = copy.deepcopy(self.report)
        other["env"]["gpus"][0]["name"] = "Another"
        _, err = ember("merge", self.path, self.write("m3.txt", json.dumps(other)), "-o",
                       self.file("never.txt"), code=3)
        self.assertIn("Another", err)
        self.assertFalse(os.path.exists(self.file("never.txt")))

    def test_history_only_grows(self):
        log = self.file("history.jsonl")
        out, _ = ember("history", log, "--add", self.file("a.json"))
        self.assertIn("1 runs, 4 cases", out)
        ember("history", log, "--add", self.file("a.json"), code=2)
        for i in range(4):
            with open(self.file("b.json")) as f:
                again = json.load(f)
            again["run"]["id"] = "again %d" % i
            ember("history", log, "--add", self.write("again.txt", json.dumps(again)))
        out, _ = ember("history", log, "--case", "op1/")
        self.assertIn("5 runs, 1 cases", out)
        out, _ = ember("history", log, "--noise")
        self.assertIn("kernel: floor", out)
        with open(log, "a") as f:
            f.write("{\n")
        _, err = ember("history", log, code=4)
        self.assertIn("line 6", err)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
