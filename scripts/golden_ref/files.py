# SPDX-License-Identifier: Apache-2.0
"""Reading and writing a golden directory: manifest.json, bands.json, cases/*.safetensors."""

import hashlib
import json
import os
import pathlib

import numpy as np
from safetensors.numpy import load_file, save_file

from . import hf, metrics


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def model_files(model_dir):
    """Every file that decides what the model computes, with its size and hash."""
    wanted = [p for p in sorted(pathlib.Path(model_dir).iterdir())
              if p.suffix in (".safetensors", ".json")]
    return {p.name: {"bytes": p.stat().st_size, "sha256": sha256(p)} for p in wanted}


def write_json(path, value):
    path = pathlib.Path(path)
    text = json.dumps(value, indent=1, allow_nan=False)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text + "\n")
    os.replace(temporary, path)


def round_figures(value):
    """Figures to 9 significant digits: enough for any ratio, and half the bytes."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [round_figures(v) for v in value]
    if isinstance(value, dict):
        return {k: round_figures(v) for k, v in value.items()}
    return value


def save_case(path, case, ref=None, greedy=None, deep=None):
    i32 = lambda x: np.asarray(x, dtype=np.int32)
    tensors = {"ids": i32(case.ids)}
    if greedy:
        tensors["greedy_ids"] = i32(greedy[0])
        tensors["greedy_margin"] = np.asarray(greedy[1], dtype=np.float32)
    if ref is not None:
        tensors.update(full_pos=i32(ref.full_pos), full_logits=ref.full, top_pos=i32(ref.top_pos),
                       top_ids=ref.top_ids, top_values=ref.top_values, stats=ref.stats,
                       res_pos=i32(ref.res_pos), residual=ref.residual)
    if deep is not None:
        positions, taps = deep
        tensors["tap_pos"] = i32(positions)
        for name, by_layer in taps.items():
            tensors["tap." + name] = by_layer
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, str(path))
    os.chmod(path, 0o644)


def load_reference(path):
    """(metrics.Reference, feed or None, taps for bands.measure) of one case file."""
    t = load_file(str(path))
    if "full_logits" not in t:
        return None
    ref = metrics.Reference.from_tensors(t)
    if "tap_pos" not in t:
        return ref, None
    positions = list(t["tap_pos"])
    taps = {}
    for name in hf.TAPS:
        if name == "logits":
            rows = [list(t["full_pos"]).index(p) for p in positions]
            taps[("logits", -1)] = (positions, t["full_logits"][rows].astype(np.float64))
        elif name in hf.LAYER_TAPS:
            for layer, values in enumerate(t["tap." + name]):
                taps[(name, layer)] = (positions, values.astype(np.float64))
        elif name == "embedding":
            taps[("embedding", -1)] = (positions, t["residual"][0][positions].astype(np.float64))
        else:
            taps[(name, -1)] = (positions, t["tap." + name].astype(np.float64))
    return ref, (t["residual"], taps)
