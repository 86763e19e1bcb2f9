# SPDX-License-Identifier: Apache-2.0
"""llama.cpp as a peer, by its own llama-bench: `pp` for the prompt, `tg` behind as many cached tokens."""
import json

from peers.engine import Engine, EngineFailed, Turn, run, visible

NEEDED = ("n_prompt", "n_gen", "samples_ns", "model_size", "model_n_params", "build_commit")
MAX_OFF = 0.02  # of the count of parameters: norms are not counted


def parameters(shape):
    """Of the matrices; a tied head counts once."""
    rows = shape["head_dim"] * (2 * shape["heads"] + 2 * shape["kv_heads"]) + 3 * shape["ffn"]
    return (shape["layers"] * shape["hidden"] * rows +
            shape["vocab"] * shape["hidden"] * (1 if shape["tied"] else 2))


def parse(text, prompt, tokens, depth):
    """The result of llama-bench's `-o json` for `prompt` or `tokens` behind `depth` cached ones."""
    try:
        rows = json.loads(text)
        found = [r for r in rows if (r["n_prompt"], r["n_gen"], r.get("n_depth", 0)) ==
                 (prompt, tokens, depth)]
        missing = [k for r in found for k in NEEDED if k not in r]
    except (ValueError, KeyError, TypeError) as e:
        raise EngineFailed("llama-bench wrote no JSON of tests: %r" % e)
    if len(found) != 1 or missing or not found[0]["samples_ns"]:
        raise EngineFailed("llama-bench gave %d results of prompt %d, tokens %d, depth %d%s" %
                           (len(found), prompt, tokens, depth,
                            ", without " + ", ".join(missing) if missing else ""))
    return found[0]


class LlamaBench(Engine):
    name = "llama.cpp"

    def __init__(self, binary, gguf, shape, device, threads, options, timeout):
        super().__init__()
        where = ["-ngl", "0", "-t", str(threads)] if device == "cpu" else ["-ngl", "99", "-fa", "1"]
        self.command = [binary, "-m", gguf, "-o", "json"] + where + options
        self.environment, self.shape, self.timeout = visible(device), shape, timeout
        self.device = device

    def turn(self, prompt, tokens, repetitions):
        fill = self._test(prompt, 0, 0, repetitions)
        step = self._test(0, tokens, prompt, repetitions)
        return Turn([ns / 1e9 for ns in fill["samples_ns"]],
                    [ns / 1e9 / tokens for ns in step["samples_ns"]])

    def _test(self, prompt, tokens, depth, repetitions):
        text = run(self.command + ["-p", prompt, "-n", tokens, "-d", depth, "-r", repetitions],
                   self.timeout, self.environment)
        row = parse(text, prompt, tokens, depth)
        self._look_at(row)
        return row

    def _look_at(self, row):
        expected = parameters(self.shape)
        if abs(row["model_n_params"] / expected - 1) > MAX_OFF:
            raise EngineFailed("the GGUF file has %.4g parameters, the model %.4g: give the same model"
                               % (row["model_n_params"], expected))
        if self.device != "cpu" and not row.get("gpu_info"):
            raise EngineFailed("llama-bench sees no GPU: backends %s" % row.get("backends", "unknown"))
        bits = 8 * row["model_size"] / row["model_n_params"]
        self.version = "llama.cpp %s (%s)" % (row["build_commit"], row.get("build_number", "?"))
        self.name = "llama.cpp %s" % row.get("model_type", "")
        if abs(bits - 16) > 0.5:
            self.note("its weights have %.1f bits: its shares are of Ember's bytes, not of its own" % bits)
