#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""transformers in a process of its own, under the Python that has it: peers/hf_process.py starts this.

The first line of stdin is {"shape", "dtype", "device", "threads"}; the answer {"version", "dtype"}.
Every further line {"form", "ids", "tokens", "repetitions"} is one turn, its answer {"prefill": [seconds],
"decode": [seconds a token]}. {"error": text} is the answer to what failed. All are lines of JSON.
"""
import json
import os
import pathlib
import sys

WARM_TOKENS = 16  # of the repetition that is not counted


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
    first = json.loads(sys.stdin.readline())
    try:
        import torch
        from peers import hf
        if first["threads"]:
            torch.set_num_threads(first["threads"])
        if first["device"] != "cpu" and not torch.cuda.is_available():
            raise RuntimeError("torch %s sees no CUDA device" % torch.__version__)
        model = hf.HuggingFace(first["shape"], first["dtype"], first["device"])
    except Exception as e:  # whatever it is, the other side must hear of it
        answer({"error": "%s: %s" % (type(e).__name__, e)})
        return 1
    answer({"version": hf.version(), "dtype": model.dtype})
    for line in sys.stdin:
        turn = json.loads(line)
        ids, tokens, form = turn["ids"], turn["tokens"], turn["form"]
        try:
            times = {"prefill": [], "decode": []}
            for repetition in range(turn["repetitions"] + 1):
                steps = tokens if repetition else min(tokens, WARM_TOKENS)
                prefill, decode, _ = model.measure(ids, steps, form, len(ids) + tokens)
                if repetition:
                    times["prefill"].append(prefill)
                    times["decode"].append(decode / tokens)
            answer(times)
        except Exception as e:
            answer({"error": "%s: %s" % (type(e).__name__, str(e).split("\n")[0])})
    return 0


if __name__ == "__main__":
    sys.exit(main())
