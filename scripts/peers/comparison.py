# SPDX-License-Identifier: Apache-2.0
"""Turns of several engines put on one scale: the share of what the device can do at most."""
import statistics

PHASES = ("prefill", "decode")


class Comparison:
    """ember: its Engine, whose work and ceilings are everyone's; turns are added round by round."""

    def __init__(self, ember, prompt):
        self.ember, self.amount = ember, {"prefill": prompt, "decode": 1}
        self.turns = {}  # engine -> its Turns

    def add(self, engine, turn):
        self.turns.setdefault(engine, []).append(turn)

    def times(self, engine, phase):
        return [t for turn in self.turns[engine] for t in getattr(turn, phase)]

    def ceiling(self, phase):
        values = self.ember.ceilings(phase)
        return statistics.median(values) if values else None

    def figures(self, engine, phase):
        """Rates in tokens/s, the share of the ceiling at the median, the ratio to Ember's median."""
        times = self.times(engine, phase)
        middle = statistics.median(times)
        ceiling = self.ceiling(phase)
        return {"seconds": times, "median_s": middle, "median": self.amount[phase] / middle,
                "least": self.amount[phase] / max(times), "largest": self.amount[phase] / min(times),
                "share": self.ember.work(phase) / middle / ceiling if ceiling else None,
                "ratio": statistics.median(self.times(self.ember, phase)) / middle}

    def table(self, engines):
        lines = ["| engine | phase | tokens/s, median | least | largest | ms | share of ceiling | "
                 "ratio to ember |", "|---|---|---:|---:|---:|---:|---:|---:|"]
        for engine in engines:
            for phase in PHASES:
                if engine in self.turns:
                    f = self.figures(engine, phase)
                    share = "-" if f["share"] is None else "%.1f %%" % (100 * f["share"])
                    lines.append("| %s | %s | %.2f | %.2f | %.2f | %.4g | %s | %.3f |" % (
                        engine.name, phase, f["median"], f["least"], f["largest"],
                        1e3 * f["median_s"], share, f["ratio"]))
        return "\n".join(lines)

    def limits(self):
        """What the shares are of, as text."""
        lines = []
        for phase, unit, what in (("prefill", "TFLOP/s", "flops"), ("decode", "GB/s", "bytes")):
            ceiling, scale = self.ceiling(phase), 1e12 if phase == "prefill" else 1e9
            held = (" over its time, of %.4g %s" % (ceiling / scale, unit) if ceiling else
                    "; not held against a ceiling: docs/measuring.md says when")
            each = "of the prompt" if phase == "prefill" else "of a step (weights and cache once)"
            lines.append("%s: %.4g %s %s%s" % (phase, self.ember.work(phase), what, each, held))
        return "\n".join(lines)
