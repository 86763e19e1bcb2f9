# SPDX-License-Identifier: Apache-2.0
"""The steps of ci/gpu.sh, in the order in which they are listed and reported."""
import glob
import os
import re
from dataclasses import dataclass, field

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLAN = "CudaRuntime.PlanCoversWhatIsUsed"
GOLDEN = (("tiny", "bf16"), ("tiny", "fp16"), ("odd", "bf16"), ("odd", "fp16"))
# In the quick form the sanitizers see these tests of the slow binaries alone.
QUICK = {"linear": "*GemvShapes*:*ColumnSlice*:*Nan*",
         "sample": "*SpecialValues*:*PositionInMemory*",
         "attention": "*TensorCoreEdges*:*PositionInMemory*:*LargeScores*",
         "attention_step": "*PositionInMemory*:*StepsOfAGraph*:*LargeScores*"}
# Parts that a sanitizer's run over all tests of a binary is cut into.
SHARDS = {"linear": 6, "attention": 5, "attention_step": 6, "sample": 3}
TOOL_COST = {"memcheck": 4, "racecheck": 30, "synccheck": 4, "initcheck": 4}


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
                          ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9"], program,
                          environment, cost=TOOL_COST[tool] * cost / shards))
        steps[-1].command.append("--gtest_filter=" + filters)
    return steps


def golden(name, model, *arguments, cost):
    return Step(name, "golden", ["golden", "run", "-m", "golden/models/" + model, "-g",
                                 "golden/refs/" + model, "--devices", "0"] + list(arguments),
                "ember", cost=cost)


def kernel_filter(tool, op, quick):
    if (tool, op) == ("initcheck", "linear"):
        return "*GemvShapes*", 1  # the library's own kernels read the padding of their tiles
    if quick and op in QUICK:
        return QUICK[op], 3 if (tool, op) == ("racecheck", "attention") else 1
    return "*", SHARDS.get(op, 1)


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
    for model, dtype in GOLDEN:
        steps.append(golden("golden %s %s" % (model, dtype), model, "--dtype", dtype, "--level",
                            "deep", cost=3))
        steps.append(golden("faults %s %s" % (model, dtype), model, "--dtype", dtype, "--level",
                            "quick", "--mutate", "all", cost=12))
    # Without the taps: Hugging Face's fp32 variants on a GPU share their kernels, so that the band
    # of a single op has no width.
    steps.append(golden("golden odd fp32", "odd", "--dtype", "fp32", "--level", "full", cost=3))
    for tool in TOOL_COST:
        for op in ops():
            filters, shards = kernel_filter(tool, op, quick)
            cost = {"linear": 12, "attention": 10, "attention_step": 10, "sample": 6}.get(op, 0.5)
            steps += sanitize(tool, op + "_cuda_test", filters, shards, cost / (3 if quick else 1))
    # The tool takes memory of the device itself, so what a run takes is not to be told.
    left_out = PLAN + ":CudaDecode.Says*:CudaDecode.Poisoned*"
    steps += sanitize("memcheck", "cuda_runtime_test",
                      "-" + left_out + (":CudaBatch.SessionsInOne*" if quick else ""), 4, 15)
    # The steps that the host does not wait for, with graphs and without.
    waiting = "CudaDecode.TheContext*:CudaDecode.Logits*"
    for tool in ("racecheck", "synccheck"):
        steps += sanitize(tool, "cuda_runtime_test", waiting, 1, 1)
        if not quick:
            steps += sanitize(tool, "cuda_runtime_test", "CudaBatch.SessionsLeave*", 1, 4)
            steps[-1].name += " batch"
    return steps
