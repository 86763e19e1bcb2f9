# SPDX-License-Identifier: Apache-2.0
"""The machine that engines share, and the prompt that they all get."""
import os
import platform
import subprocess


def pin(threads):
    """Keeps this process and its children on the first `threads` CPUs that it may use, 0: on all.
    Returns their count; raises ValueError where there are fewer."""
    allowed = sorted(os.sched_getaffinity(0))
    threads = threads or len(allowed)
    if len(allowed) < threads:
        raise ValueError("%d threads asked for, %d CPUs may be used" % (threads, len(allowed)))
    os.sched_setaffinity(0, allowed[:threads])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "EMBER_THREADS"):
        os.environ[name] = str(threads)
    return threads


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown CPU"


def commit(root):
    """(commit, whether files differ from it) of the checkout that these scripts stand in."""
    git = ["git", "-C", str(root)]
    try:
        head = subprocess.run(git + ["rev-parse", "HEAD"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
        changes = subprocess.run(git + ["status", "--porcelain", "-uno"], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None, None
    if head.returncode != 0:
        return None, None
    return head.stdout.strip(), bool(changes.stdout.strip())


def prompt_ids(count, vocab):
    """The ids of `ember bench e2e` (suites/bench/scenario.cpp), the same in every run."""
    ids, state = [], 1
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        ids.append((state >> 33) % vocab)
    return ids
