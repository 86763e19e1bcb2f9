# SPDX-License-Identifier: Apache-2.0
"""Ember by `ember bench e2e`, which also measures the ceilings and states the work of both phases."""
import json
import os
import pathlib
import re
import tempfile

from peers.engine import Engine, EngineFailed, Turn, run

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def shape_of(binary, model, timeout):
    """Of a preset or a directory, with the names of `ember --list-presets`."""
    if not model.startswith("random:"):
        return json.loads(run([binary, "inspect", model, "--json"], timeout))["config"]
    name = model.split(":")[1]
    for row in json.loads(run([binary, "--list-presets"], timeout)):
        if row["name"] == name:
            return row
    raise EngineFailed("no preset %s; `%s --list-presets` has them" % (name, binary), 2)


class Ember(Engine):
    name = "ember"

    def __init__(self, binary, model, device, dtype, options, timeout):
        super().__init__()
        self.command = [binary, "bench", "e2e", "-m", model, "--devices", device] + options
        if device != "cpu":
            self.command += ["--dtype", dtype]
        if model.startswith("random:") and not {"-g", "--golden", "--no-golden"} & set(options):
            # Random weights have no references of their own: a bundled model judges the engine.
            self.command += ["--golden-model", str(ROOT / "golden/models/tiny"), "-g",
                             str(ROOT / "golden/refs/tiny")]
        self.timeout = timeout
        self.reports = []
        first = run([binary, "--version"], timeout).split("\n")[0]
        self.version = first
        found = re.search(r"[0-9a-f]{40}", first)
        self.commit = found.group(0) if found else None

    def turn(self, prompt, tokens, repetitions):
        with tempfile.TemporaryDirectory(prefix="ember-peers-") as folder:
            path = os.path.join(folder, "e2e.json")
            run(self.command + ["-p", prompt, "-n", tokens, "-r", repetitions, "--json", path],
                self.timeout)
            with open(path) as f:
                report = json.load(f)
        self.reports.append(report)
        self.name = "ember, " + report["model"]["dtype"]
        rates = self._case(report, "throughput")["samples"][0]["values"]
        return Turn(self._case(report, "prefill")["samples"][0]["values"], [1 / r for r in rates])

    @staticmethod
    def _case(report, name):
        for case in report["cases"]:
            if case["id"].startswith("e2e/%s/" % name):
                if case["status"] not in ("ok", "noisy"):
                    raise EngineFailed("%s: %s" % (case["id"], case["reason"]))
                return case
        raise EngineFailed("the report of `ember bench e2e` has no case e2e/" + name)

    def work(self, phase):
        """Flops of a prefill, bytes of a decode step."""
        work = self._case(self.reports[0], phase)["work"]
        return work["flops"] if phase == "prefill" else work["bytes"]

    def ceilings(self, phase):
        """What the device can do at most, one value a round; none where Ember holds the phase against
        nothing, as a model that fits into the cache."""
        values = []
        for report in self.reports:
            held = self._case(report, phase).get("ceiling")
            values += [c["value"] for c in report["ceilings"] if held and c["id"] == held["ref"]]
        return values
