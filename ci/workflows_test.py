#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The workflows under ci/github and ci/gitlab: they parse, have what such files need, and call only
scripts of this folder that exist, with options that those scripts know.

    ci/workflows_test.py

Needs Python 3.8 and PyYAML (python3-yaml). Exit code 77 without it.
"""
import os
import re
import subprocess
import sys
import unittest

try:
    import yaml
except ImportError:
    print("skipped: no Python package yaml")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMMAND = re.compile(r"^(ci/\w+\.sh)((?: .*)?)$")


def load(*path):
    with open(os.path.join(ROOT, "ci", *path)) as f:
        return yaml.safe_load(f)


class Workflows(unittest.TestCase):
    def check_command(self, line):
        found = COMMAND.match(line)
        self.assertTrue(found, "not a script of ci/: " + line)
        script = os.path.join(ROOT, found[1])
        self.assertTrue(os.access(script, os.X_OK), script)
        text = subprocess.run([script, "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
        for option in re.findall(r"(?<=\s)--[a-z-]+", found[2]):
            self.assertIn(option, text, line)

    def upload_paths(self, job):
        paths = []
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                self.assertEqual(step["if"], "always()")
                paths += step["with"]["path"].split()
        return paths

    def test_github(self):
        text = load("github", "ember.yml")
        self.assertEqual(set(text), {"name", True, "permissions", "concurrency", "jobs"})  # on: is True
        self.assertEqual(text["permissions"], {"contents": "read"})
        self.assertEqual(set(text[True]), {"push", "pull_request", "schedule"})
        self.assertEqual(set(text["jobs"]), {"test", "sanitizers", "fuzz", "suite", "gate", "gpu"})
        for name, job in text["jobs"].items():
            self.assertLessEqual(set(job), {"runs-on", "timeout-minutes", "steps", "if"}, name)
            self.assertGreater(job["timeout-minutes"], 0)
            self.assertEqual(job["steps"][0]["uses"], "actions/checkout@v4")
            runs = [s["run"] for s in job["steps"] if "run" in s]
            self.assertTrue(runs, name)
            for line in runs:
                self.check_command(line)
            for step in job["steps"]:
                self.assertEqual(len({"run", "uses"} & set(step)), 1, name)
                # Text of others never becomes shell: of the event, only a hash.
                for expression in re.findall(r"\$\{\{(.*?)\}\}", step.get("run", "")):
                    self.assertEqual(expression.strip(), "github.event.pull_request.base.sha")
        jobs = text["jobs"]
        self.assertIn("out/suite/exports/", self.upload_paths(jobs["suite"]))
        self.assertIn("out/gate", self.upload_paths(jobs["gate"]))
        self.assertEqual(jobs["gate"]["steps"][0]["with"], {"fetch-depth": 0})
        self.assertIn("ci/gpu.sh", str(jobs["gpu"]["steps"]))
        self.assertIn("!= 'pull_request'", jobs["gpu"]["if"])

    def test_gitlab(self):
        text = load("gitlab", "ember.gitlab-ci.yml")
        keywords = {"stages", "default", "workflow"}
        jobs = {k: v for k, v in text.items() if k not in keywords}
        self.assertEqual(set(jobs), {"test", "sanitizers", "fuzz", "suite", "gate", "gpu"})
        for name, job in jobs.items():
            self.assertIn(job["stage"], text["stages"])
            self.assertLessEqual(set(job), {"stage", "image", "timeout", "tags", "rules", "script",
                                            "artifacts", "variables", "allow_failure"}, name)
            for line in job["script"]:
                self.check_command(line)
        for name, folder in (("suite", "out/suite/"), ("gate", "out/gate/"), ("gpu", "out/suite-gpu/")):
            self.assertEqual(jobs[name]["artifacts"]["when"], "always")
            self.assertTrue(jobs[name]["artifacts"]["reports"]["junit"].startswith(folder))
        self.assertEqual(jobs["gate"]["allow_failure"], {"exit_codes": [3]})
        self.assertEqual(jobs["gate"]["variables"]["GIT_DEPTH"], "0")

    def test_the_bench_script_refuses_what_it_does_not_know(self):
        script = os.path.join(ROOT, "ci", "bench.sh")
        for arguments in ([], ["gate"], ["suite", "--speed", "1"], ["suite", "--out"]):
            run = subprocess.run([script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertEqual(run.returncode, 2, arguments)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
