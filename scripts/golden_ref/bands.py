# SPDX-License-Identifier: Apache-2.0
"""How far Hugging Face's own variants stand from the truth, and the thresholds that follow.

In 16 bits most variants of one prompt are one computation: they round at the same places, on every
device, to the very same figures. The offset variants give independent roundings.

golden/tolerance.cpp recomputes every threshold from the same figures and refuses a file whose
thresholds do not follow from them.
"""

import re
import statistics

import torch

from . import hf, metrics

SLACK = 1.25
# (attention, mode, threads): threads 0 keeps the process's number.
HALF = [("eager", "whole", 0), ("eager", "batched", 0), ("eager", "decode_dynamic", 0),
        ("eager", "offset_1", 0), ("eager", "offset_2", 0), ("eager", "offset_3", 0),
        ("eager", "offset_5", 0), ("sdpa", "whole", 0), ("sdpa", "chunked", 0),
        ("sdpa", "decode_static", 0), ("sdpa", "offset_1", 0), ("sdpa", "offset_4", 0)]
VARIANTS = {
    "fp32": [("eager", "whole", 0), ("eager", "whole", 1), ("eager", "batched", 0),
             ("eager", "chunked", 0), ("eager", "decode_static", 0), ("sdpa", "whole", 0),
             ("sdpa", "batched", 0), ("sdpa", "chunked", 0), ("sdpa", "decode_dynamic", 0)],
    "fp16": HALF,
    "bf16": HALF,
}
TORCH = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


# Environment that makes torch's CPU libraries take other kernels, with other orders of summation.
# Read when a process starts, so each is measured in a process of its own.
OTHER_CPU = {
    "cpu-avx2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2",
                 "ATEN_CPU_CAPABILITY": "avx2"},
    "cpu-sse4": {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41",
                 "ATEN_CPU_CAPABILITY": "default"},
}
OTHER_VARIANTS = [("eager", "whole", 0), ("sdpa", "chunked", 0)]


def variant_name(label, attention, mode, threads):
    return "/".join([label, attention, mode] + ([f"{threads}-thread"] if threads else []))


def measure(model_dir, device, label, references, feeds, only=""):
    """{dtype: {"cases": {case: {variant: figures}}, "local": {case: {variant: {tap: [..]}}}}}.

    references: {case: metrics.Reference}; feeds: {case: (feed, {(tap, layer): (positions, truth)})};
    label: opens the variants' names; only: a regular expression that they must match.
    """
    out = {}
    normal_threads = torch.get_num_threads()
    for dtype, variants in VARIANTS.items():
        if label in OTHER_CPU:
            variants = OTHER_VARIANTS
        found = out[dtype] = {"cases": {c: {} for c in references}, "local": {c: {} for c in feeds}}
        for attention in ("eager", "sdpa"):
            model = hf.load(model_dir, TORCH[dtype], attention, device)
            for kind, mode, threads in variants:
                if kind != attention or (threads and device != "cpu"):
                    continue
                name = variant_name(label, attention, mode, threads)
                if not re.search(only, name):
                    continue
                torch.set_num_threads(threads or normal_threads)
                for case, ref in references.items():
                    found["cases"][case][name] = metrics.measure(ref, *hf.run(model, ref.ids, mode))
                torch.set_num_threads(normal_threads)
                print(f"  {dtype} {name}", flush=True)
            for case, (feed, taps) in feeds.items():
                if not re.search(only, variant_name(label, attention, "fed", 0)):
                    continue
                got = hf.run_fed(model, references[case].ids, feed)
                found["local"][case][variant_name(label, attention, "fed", 0)] = local_errors(
                    got, taps)
    return out


def local_errors(got, taps):
    errors = {}
    for (tap, layer), (positions, truth) in taps.items():
        errors.setdefault(tap, {})[layer] = metrics.rel_l2(got[(tap, layer)][positions], truth)
    return {tap: [by_layer[i] for i in sorted(by_layer)] for tap, by_layer in errors.items()}


def merge(into, new):
    """Adds the variants of `new` to `into`; a variant measured again is replaced."""
    for dtype, found in new.items():
        for kind in ("cases", "local"):
            for case, by_variant in found[kind].items():
                into[dtype][kind][case].update(by_variant)
    return into


def leave_one_out(values, centre):
    """Largest ratio of one variant's figure to the centre of the others' (1 at least).

    Variants with the very same figure are the same computation: they are left out together, or a
    twin would vouch for itself.
    """
    worst = 1.0
    for value in values:
        others = [v for v in values if v != value]
        base = centre(others) if others else 0.0
        if base > 0:
            worst = max(worst, value / base)
    return worst


def group(dtype, variant):
    """Which variants judge together: tolerance.h says why."""
    if dtype != "fp32":
        return "all"
    return "cuda" if variant.startswith("cuda") else "cpu"


def thresholds(dtype, found):
    """Pass limits of one dtype, by group: mean-type figures against the median of Hugging Face's
    variants, max-type ones against their largest, both with the widest leave-one-out ratio seen."""
    names = {group(dtype, v) for v in next(iter(found["cases"].values()))}
    return {name: group_thresholds(*({case: {v: f for v, f in by_variant.items()
                                             if group(dtype, v) == name}
                                      for case, by_variant in found[kind].items()}
                                     for kind in ("cases", "local")))
            for name in sorted(names)}


def group_thresholds(by_case, local):
    cases = list(by_case.values())
    out = {}
    for name in metrics.MEAN + metrics.MAX:
        centre = statistics.median if name in metrics.MEAN else max
        out[name] = SLACK * max(leave_one_out([v[name] for v in c.values()], centre) for c in cases)
    out["residual"] = SLACK * max(
        leave_one_out([v["residual"][i] for v in c.values()], max)
        for c in cases for i in range(len(next(iter(c.values()))["residual"])))
    out["local"] = {}
    for by_variant in local.values():
        figures = list(by_variant.values())
        for tap in figures[0]:
            worst = max(leave_one_out([f[tap][i] for f in figures], max)
                        for i in range(len(figures[0][tap])))
            out["local"][tap] = max(out["local"].get(tap, SLACK), SLACK * worst)
    return out
