#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the golden references of a Qwen3 checkpoint from Hugging Face transformers.

    export_golden.py -m MODEL -g GOLDEN                     truth, cases and the CPU band
    export_golden.py -m MODEL -g GOLDEN --band-out F.json --device cuda
                                                            the band of another device, to a file
    export_golden.py -m MODEL -g GOLDEN --merge F.json      adds it, and derives the limits anew

A band file says where it was measured: {"source": {...}, "dtypes": {...}}.

Needs: torch, transformers, tokenizers, safetensors, numpy. docs/golden.md explains the method.
"""

import argparse
import datetime
import hashlib
import inspect
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

from golden_ref import bands, cases as case_list, files, hf, metrics

SCHEMA = "ember.golden/1"
FULL_BYTES = 1_100_000  # budget of full logits in one directory
TOP_POSITIONS = 256     # of a case longer than TOP_ALL tokens
TOP_ALL = 320


def exporter_hash():
    here = pathlib.Path(__file__).resolve().parent
    parts = [here / "export_golden.py"] + sorted((here / "golden_ref").glob("*.py"))
    return hashlib.sha256(b"".join(p.read_bytes() for p in parts)).hexdigest()


def provenance():
    return {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "modeling_qwen3_sha256": files.sha256(inspect.getsourcefile(hf.qwen3)),
        "exporter_sha256": exporter_hash(),
        "flags": {"tf32": False, "reduced_precision_reduction": False, "attention": "eager",
                  "rotary_phase": "fp32"},
        "hardware": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, "
                    f"{torch.get_num_threads()} threads",
        "date": datetime.date.today().isoformat(),
    }


def band_source(device):
    """Where the variants of one label were measured."""
    out = {"torch": torch.__version__, "transformers": transformers.__version__,
           "exporter_sha256": exporter_hash(), "date": datetime.date.today().isoformat()}
    if device.startswith("cuda"):
        out["card"] = torch.cuda.get_device_name(device)
        out["cuda"] = torch.version.cuda
        out["driver"] = driver_version()
    else:
        out["hardware"] = provenance()["hardware"]
    return out


def driver_version():
    try:
        return subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "-i", "0"],
            capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def deep_taps(model, case, residual, logits):
    """Truth of every tap at two positions, as arrays (L, 2, w), or (2, w) outside layers."""
    n = len(case.ids)
    positions = [n // 2, n - 1]
    fed = hf.run_fed(model, case.ids, residual)
    check = metrics.rel_l2(fed[("logits", -1)], logits)
    if check > 1e-12:
        raise SystemExit(f"{case.name}: feeding the truth to itself changes it by {check:.1e}")
    layers = model.config.num_hidden_layers
    taps = {name: np.stack([fed[(name, i)][positions] for i in range(layers)]).astype(np.float32)
            for name in hf.LAYER_TAPS}
    taps["final_norm"] = fed[("final_norm", -1)][positions].astype(np.float32)
    return positions, taps


def export_truth(model_dir, golden_dir, name):
    config = transformers.AutoConfig.from_pretrained(model_dir, local_files_only=True)
    cases = case_list.make_cases(model_dir, config)
    quick = [c for c in cases if c.tier == "quick"]
    full_count = int(np.clip(FULL_BYTES // (4 * config.vocab_size * len(quick)), 2, 8))
    shutil.rmtree(golden_dir / "cases", ignore_errors=True)
    (golden_dir / "cases").mkdir(parents=True)
    rows = []
    with hf.double_precision():
        model = hf.load(model_dir, torch.float64)
        own_error = 0.0
        for case in cases:
            path = golden_dir / "cases" / f"{case.name}.safetensors"
            greedy = hf.greedy(model, case.ids, case.greedy_steps) if case.greedy_steps else None
            row = {"name": case.name, "file": f"cases/{path.name}", "tier": case.tier,
                   "deep": case.deep, "tokens": len(case.ids), "greedy_steps": case.greedy_steps}
            if case.text is not None:
                row["text"] = case.text
            if case.tier == "quick":
                n = len(case.ids)
                logits, residual = hf.run(model, case.ids)
                again, _ = hf.run(model, case.ids, "chunked")
                own_error = max(own_error, metrics.rel_l2(again, logits))
                deep = deep_taps(model, case, residual, logits) if case.deep else None
                full_pos = case_list.spread(n, full_count)
                if deep:
                    full_pos = sorted(set(full_pos) | set(deep[0]))
                top_pos = list(range(n))
                if n > TOP_ALL:
                    top_pos = sorted(set(case_list.spread(n, TOP_POSITIONS))
                                     | set(range(n - 16, n)) | set(full_pos))
                res_pos = list(range(n)) if case.deep else case_list.spread(n, 4)
                ref = metrics.Reference.from_truth(case.ids, logits, residual, full_pos, top_pos,
                                                   res_pos)
                files.save_case(path, case, ref, greedy, deep)
            else:
                files.save_case(path, case, greedy=greedy)
            row["sha256"] = files.sha256(path)
            rows.append(row)
            print(f"  {case.name}: {len(case.ids)} tokens, {case.greedy_steps} greedy", flush=True)
    keys = {"L": config.num_hidden_layers, "D": config.hidden_size,
            "H": config.num_attention_heads, "K": config.num_key_value_heads,
            "E": config.head_dim, "F": config.intermediate_size, "V": config.vocab_size}
    return {
        "schema": SCHEMA,
        "model": {"name": name, "shape": keys, "files": files.model_files(model_dir)},
        "provenance": provenance(),
        "truth": {"compute": "fp64", "stored": "fp32",
                  "own_error": {"what": "relative L2 of logits, fp64 whole against fp64 in chunks",
                                "worst": own_error}},
        "cases": rows,
    }


def load_references(golden_dir, manifest):
    references, feeds = {}, {}
    for row in manifest["cases"]:
        path = golden_dir / row["file"]
        if files.sha256(path) != row["sha256"]:
            raise SystemExit(f"{path}: not the file that manifest.json names")
        loaded = files.load_reference(path)
        if loaded is not None:
            references[row["name"]] = loaded[0]
            if loaded[1] is not None:
                feeds[row["name"]] = loaded[1]
    return references, feeds


def write_bands(golden_dir, manifest, found, sources):
    """found: as bands.measure gives it; sources: {label: band_source} of all its variants."""
    found = files.round_figures(found)
    for name, dtype in found.items():
        dtype["thresholds"] = bands.thresholds(name, dtype)
    files.write_json(golden_dir / "bands.json", {"schema": "ember.golden.bands/2",
                                                 "slack": bands.SLACK, "sources": sources,
                                                 "dtypes": found})
    manifest["bands"] = {"file": "bands.json", "sha256": files.sha256(golden_dir / "bands.json"),
                         "sources": sources}
    eager = found["fp32"]["cases"]
    figures = [v["rel_l2"] for c in eager.values() for k, v in c.items()
               if k.startswith("cpu") and "eager/whole" in k]
    manifest["truth"]["fp32_eager_error"] = {"what": "relative L2 of logits against the truth",
                                             "worst": max(figures),
                                             "median": float(np.median(figures))}
    files.write_json(golden_dir / "manifest.json", manifest)
    for name, dtype in found.items():
        worst = max(v["rel_l2"] for c in dtype["cases"].values() for v in c.values())
        print(f"{name}: worst relative L2 {worst:.2e}")
        for group, limits in dtype["thresholds"].items():
            local = max(limits["local"].values())
            limits = ", ".join(f"{k} {v:.2f}" for k, v in limits.items() if k != "local")
            print(f"  limits ({group}): {limits}, taps up to {local:.2f}")


def measure_elsewhere(args, label, environment):
    """The band of this script run under other environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "band.json"
        subprocess.run([sys.executable, __file__, "-m", str(args.model), "-g", str(args.golden),
                        "--label", label, "--band-out", str(out)],
                       env={**os.environ, **environment}, check=True)
        return json.loads(out.read_text())


def merge(args, manifest):
    old = json.loads((args.golden / "bands.json").read_text())
    new = json.loads(args.merge.read_text())
    if "source" not in new:
        raise SystemExit(f"{args.merge}: does not say where it was measured; measure it again")
    names = {v for d in new["dtypes"].values() for kind in ("cases", "local")
             for by_variant in d[kind].values() for v in by_variant}
    labels = {v.split("/")[0] for v in names}
    write_bands(args.golden, manifest, bands.merge(old["dtypes"], new["dtypes"]),
                {**old.get("sources", {}), **{label: new["source"] for label in sorted(labels)}})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-m", "--model", required=True, type=pathlib.Path)
    parser.add_argument("-g", "--golden", "-o", required=True, type=pathlib.Path)
    parser.add_argument("--device", default="cpu", help="device of the band: cpu or cuda")
    parser.add_argument("--label", help="opens the variants' names; the device unless given")
    parser.add_argument("--band-out", type=pathlib.Path, help="only measure a band, into this file")
    parser.add_argument("--only", default="", help="with --band-out: only variants that match this "
                        "regular expression, to add them to a band")
    parser.add_argument("--merge", type=pathlib.Path, help="only add a band measured elsewhere")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    hf.exact_flags()
    manifest_path = args.golden / "manifest.json"
    if args.merge:
        manifest = json.loads(manifest_path.read_text())
        merge(args, manifest)
        return
    if args.band_out:
        manifest = json.loads(manifest_path.read_text())
    else:
        args.golden.mkdir(parents=True, exist_ok=True)
        manifest = export_truth(args.model, args.golden, args.model.resolve().name)
        files.write_json(manifest_path, manifest)
    if files.model_files(args.model) != manifest["model"]["files"]:
        raise SystemExit(f"{args.model} holds other files than the references were made from")
    references, feeds = load_references(args.golden, manifest)
    label = args.label or args.device
    found = bands.measure(args.model, args.device, label, references, feeds,
                          args.only if args.band_out else "")
    if args.band_out:
        files.write_json(args.band_out, {"source": band_source(args.device),
                                         "dtypes": files.round_figures(found)})
        return
    sources = {label: band_source(args.device)}
    for other, environment in bands.OTHER_CPU.items():
        elsewhere = measure_elsewhere(args, other, environment)
        bands.merge(found, elsewhere["dtypes"])
        sources[other] = elsewhere["source"]
    write_bands(args.golden, manifest, found, sources)


if __name__ == "__main__":
    main()
