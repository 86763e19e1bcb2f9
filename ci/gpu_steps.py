# SPDX-License-Identifier: Apache-2.0
"""The steps of ci/gpu.sh, in the order in which they are listed and reported."""
import glob
import os
import re
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLAN = "CudaRuntime.PlanCoversWhatIsUsed"
GOLDEN = (("tiny", "bf16"), ("tiny", "fp16"), ("odd", "bf16"), ("odd", "fp16"))
# Suites named ...Long run many cases of what the few cases of EveryPath run too. What they add is
# places in memory, which memcheck looks at; barriers and shared memory see nothing new.
FEW = "-*Long.*"
# In the quick form the sanitizers see these tests of other slow binaries alone.
QUICK = {"decode_layers": "*PositionInMemory*:*StepsOfAGraph*",
         "linear": "*GemvShapes*:*ColumnSlice*:*Nan*",
         "sample": "*SpecialValues*:*PositionInMemory*"}
FOUND = 9  # exit code of compute-sanitizer that has something to report
# Where a step's layers are one kernel, the kernels of the ops are a way of their own.
OP_BY_OP = {"EMBER_DECODE_LAYERS": "0"}
TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
# Rough seconds of a tool over an op, eight steps side by side on an H100; of others, OTHER_COST.
COST = {("memcheck", "attention"): 100, ("memcheck", "attention_step"): 270,
        ("memcheck", "decode_layers"): 120, ("racecheck", "decode_layers"): 155,
        ("memcheck", "linear"): 80, ("memcheck", "sample"): 60,
        ("racecheck", "attention"): 40, ("racecheck", "attention_step"): 60,
        ("racecheck", "linear"): 400, ("racecheck", "sample"): 375,
        ("synccheck", "linear"): 80, ("synccheck", "sample"): 60,
        ("initcheck", "linear"): 20, ("initcheck", "sample"): 60}
OTHER_COST = {"memcheck": 4, "racecheck": 10, "synccheck": 4, "initcheck": 4}
# Parts that a run is cut into, so that none takes much longer than a minute.
SHARDS = {("memcheck", "attention"): 5, ("memcheck", "attention_step"): 6,
          ("memcheck", "decode_layers"): 3, ("racecheck", "decode_layers"): 2,
          ("memcheck", "linear"): 2, ("racecheck", "linear"): 6,
          ("racecheck", "sample"): 3, ("synccheck", "linear"): 2}


@dataclass
class Step:
    name: str
    kind: str  # gtest, golden or sanitize: which output counts as passed
    command: list  # argv; a program of the build is its bare name in `program`
    program: str
    environment: dict = field(default_factory=dict)
    alone: bool = False  # looks at the clock or at the device's free memory: nothing runs beside it
    cost: float = 1  # rough seconds: the long ones start first


def ops():
    """Every op that has a test on the device."""
    names = [re.sub(r"_cuda_test\.cpp$", "", os.path.basename(p))
             for p in glob.glob(os.path.join(ROOT, "kernels", "*", "*_cuda_test.cpp"))]
    return sorted(names)


def gtest(name, program, filters=None, **more):
    arguments = ["--gtest_filter=" + filters] if filters else []
    return Step(name, "gtest", arguments, program, **more)


def sanitize(tool, program, filters, shards, cost):
    """One step, or `shards` steps that share the tests of `filters`."""
    steps = []
    for shard in range(shards):
        part = " %d/%d" % (shard + 1, shards) if shards > 1 else ""
        environment = {}
        if shards > 1:
            environment = {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(shard)}
        steps.append(Step("%s %s%s" % (tool, program, part), "sanitize",
                          ["compute-sanitizer", "--tool", tool, "--error-exitcode", str(FOUND)],
                          program, environment, cost=cost / shards))
        steps[-1].command.append("--gtest_filter=" + filters)
    return steps


def golden(name, model, *arguments, cost):
    return Step(name, "golden", ["golden", "run", "-m", "golden/models/" + model, "-g",
                                 "golden/refs/" + model, "--devices", "0"] + list(arguments),
                "ember", cost=cost)


def kernel_filter(tool, op, quick):
    if (tool, op) == ("initcheck", "linear"):
        return "*GemvShapes*", 1  # the library's own kernels read the padding of their tiles
    if quick:
        return QUICK.get(op, FEW), 1
    return "*" if tool == "memcheck" else FEW, SHARDS.get((tool, op), 1)


def all_steps(quick):
    steps = [gtest("base_test", "base_test", alone=True),
             gtest("measure_test", "measure_test", alone=True),
             gtest("p2p_test", "p2p_test", alone=True),
             gtest("bench_cuda_test", "bench_cuda_test", alone=True),
             gtest("cuda_runtime_test memory plan", "cuda_runtime_test", PLAN, alone=True)]
    for op in ops():
        steps.append(gtest(op + "_cuda_test", op + "_cuda_test",
                           cost={"linear": 30}.get(op, 5)))
    steps.append(gtest("cuda_runtime_test", "cuda_runtime_test", "-" + PLAN, cost=20))
    # Once more on memory full of NaN: what is read before it is written shows.
    steps.append(gtest("cuda_runtime_test on poisoned memory", "cuda_runtime_test", "-" + PLAN,
                       environment={"EMBER_POISON": "1"}, cost=20))
    steps.append(gtest("cuda_runtime_test, op by op", "cuda_runtime_test", "-" + PLAN,
                       environment=OP_BY_OP, cost=20))
    for model, dtype in GOLDEN:
        steps.append(golden("golden %s %s" % (model, dtype), model, "--dtype", dtype, "--level",
                            "deep", cost=3))
        steps.append(golden("faults %s %s" % (model, dtype), model, "--dtype", dtype, "--level",
                            "quick", "--mutate", "all", cost=12))
    for dtype in ("bf16", "fp16"):
        steps.append(golden("golden tiny %s, op by op" % dtype, "tiny", "--dtype", dtype,
                            "--level", "full", cost=3))
        steps[-1].environment = OP_BY_OP
    # Without the taps: Hugging Face's fp32 variants on a GPU share their kernels, so that the band
    # of a single op has no width.
    steps.append(golden("golden odd fp32", "odd", "--dtype", "fp32", "--level", "full", cost=3))
    for tool in TOOLS:
        for op in ops():
            filters, shards = kernel_filter(tool, op, quick)
            cost = COST.get((tool, op), OTHER_COST[tool])
            if quick and (tool == "memcheck" or filters != FEW):
                cost /= 8
            steps += sanitize(tool, op + "_cuda_test", filters, shards, cost)
    # The tool takes memory of the device itself, so what a run takes is not to be told, nor how long.
    left_out = PLAN + ":CudaDecode.Says*:CudaDecode.Poisoned*:CudaStages.OverASlowLink*"
    steps += sanitize("memcheck", "cuda_runtime_test",
                      "-" + left_out + (":CudaBatch.SessionsInOne*" if quick else ""), 4, 240)
    # The steps that the host does not wait for, with graphs and without.
    waiting = "CudaDecode.TheContext*:CudaDecode.Logits*"
    for tool in ("racecheck", "synccheck"):
        for environment in ({}, OP_BY_OP):
            steps += sanitize(tool, "cuda_runtime_test", waiting, 1,
                              30 if tool == "racecheck" else 4)
            steps[-1].environment = environment
            steps[-1].name += ", op by op" if environment else ""
        if not quick:
            steps += sanitize(tool, "cuda_runtime_test", "CudaBatch.AFewSteps*", 1,
                              30 if tool == "racecheck" else 4)
            steps[-1].name += " batch"
    return steps
