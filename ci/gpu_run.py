#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that needs a GPU: the tests of the CUDA kernels and of the engine on a device, the golden
references, the planted faults that must turn them red, and compute-sanitizer over the same tests
(memcheck over all, the slower tools over those that are not in a suite named ...Long).
Writes one JSON file of results, again after each step, so that a run that is cut short loses nothing.

Steps run side by side on device 0, but for those that look at the clock or at the device's free
memory: these come first, one at a time. Rows and messages are in the order of --list.

Exit code 0 when every row of the file passed; 1 when a test, a reference or a sanitizer found something;
2 for a wrong call, and when --append meets results of something else; 3 when it was stopped before its
end and nothing had failed; 5 without a GPU."""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "scripts")]
import named_steps  # noqa: E402
from gpu_steps import FOUND, ROOT, all_steps  # noqa: E402

SCHEMA = "ember.gpu_ci/2"
PROGRAM = "ci/gpu.sh"
TAIL = 40


def parse():
    p = argparse.ArgumentParser(prog=PROGRAM, description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0))
    p.add_argument("--build", default="build-gpu", metavar="DIR",
                   help="a finished build with CUDA (default build-gpu, made when it is missing)")
    p.add_argument("--out", default="gpu.json", metavar="FILE", help="result file (default gpu.json)")
    p.add_argument("--quick", action="store_true", help="sanitizers on few tests")
    p.add_argument("--jobs", type=int, default=max(1, min(6, cores // 2)), metavar="N",
                   help="steps side by side (default %(default)s: half the cores, at most 6)")
    named_steps.add_options(p, "card, driver, commit and form")
    p.add_argument("--missing", action="store_true",
                   help="with --append: only steps that have not passed yet")
    p.add_argument("--limit", type=float, default=0, metavar="SECONDS",
                   help="after this time start no further step and end those that run: they get no "
                   "row (default: none)")
    args = p.parse_args()
    if args.jobs < 1:
        named_steps.usage(PROGRAM, "--jobs takes 1 or more, not %d" % args.jobs)
    if args.missing and not args.append:
        named_steps.usage(PROGRAM, "--missing goes with --append")
    return args


def make_build(build):
    architectures = os.environ.get("CUDA_ARCHITECTURES", "native")
    for command in (["cmake", "-S", ROOT, "-B", build, "-DCMAKE_BUILD_TYPE=Release",
                     "-DEMBER_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=" + architectures],
                    ["cmake", "--build", build, "-j", str(os.cpu_count())]):
        if subprocess.run(command).returncode != 0:
            sys.exit(1)


# Kernels of cuBLAS by name: not ours to mend, and racecheck does not know how they wait. (It cannot
# leave them out: under --kernel-name they end with an illegal access.)
LIBRARY_KERNEL = re.compile(r"(void )?(nvjet|cublas|cutlass|sm\d+_xmma|splitKreduce)")
# What writes shared memory in bulk. racecheck takes that for writes of the thread that asks for it,
# and does not know that a barrier of the copy's bytes parts them from the reads.
BULK_COPY = re.compile(r"Write access at (\w+::)*bulk_copy\(")
HAZARD = re.compile(r"^=+ +(?:Error|Warning): Race reported between (.*(?:\n=+ +and .*)*)", re.M)


def foreign_hazards(text):
    """Hazards that racecheck reported and cannot judge: how many, and of what, in words."""
    library = bulk = 0
    for hazard in HAZARD.findall(text):
        places = re.findall(r" access at (.*)", hazard)
        if places and all(LIBRARY_KERNEL.match(place) for place in places):
            library += 1
        elif BULK_COPY.match(hazard) and not re.search(r"and Write", hazard):
            bulk += 1
    return library + bulk, " and ".join(["cuBLAS"] * (library > 0) + ["bulk copies"] * (bulk > 0))


def judge(step, code, text):
    """Exit code and detail of a step that ended: 77 where it passed without having looked."""
    passed = len(re.findall(r"^\[       OK ", text, re.M))
    skipped = len(re.findall(r"^\[  SKIPPED \] .*ms", text, re.M))
    if step.kind == "golden":
        lines = text.strip().split("\n")
        return code, lines[-1].replace("\t", " ")
    detail = "%d tests, %d skipped" % (passed, skipped)
    if code == 0 and (skipped or not passed):
        code = 77  # there is a GPU: a test that was skipped, or that no filter finds, is a failure
    if step.kind == "sanitize":
        summary = re.findall(r"SUMMARY: .*", text)
        detail += "; " + (summary[-1] if summary else "no summary")
        clean = bool(summary and re.match(r"SUMMARY: 0 ", summary[-1]))
        foreign, where = foreign_hazards(text)
        if foreign and summary and summary[-1].startswith("SUMMARY: %d hazard" % foreign):
            clean = True
            detail += ", in %s alone" % where
            code = 0 if code == FOUND and "[  FAILED  ]" not in text else code
        if code == 0 and not clean:
            code = FOUND
    return code, detail


class Runner:
    def __init__(self, args, results, steps, logs):
        self.args, self.results, self.logs = args, results, logs
        self.order = steps
        self.lock = threading.Lock()
        self.running = set()
        self.stopped = ""
        self.done = {}
        self.printed = 0
        self.cores = len(os.sched_getaffinity(0))

    def command(self, step):
        """argv, or what is missing as text."""
        program = os.path.join(self.args.build, step.program)
        if not os.access(program, os.X_OK):
            return None, "%s is missing: build target %s" % (program, step.program)
        if step.kind != "sanitize":
            return [program] + step.command, ""
        if shutil.which(step.command[0]) is None:
            return None, "%s is not on PATH" % step.command[0]
        return step.command[:-1] + [program, step.command[-1]], ""

    def run(self, step):
        argv, missing = self.command(step)
        at, log = time.monotonic(), os.path.join(self.logs, re.sub(r"\W", "_", step.name))
        if argv is None:
            return self.finish(step, 127, 0, missing, "")
        environment = dict(os.environ, **step.environment)
        if not step.alone and self.args.jobs > 1:
            share = max(2, self.cores // self.args.jobs)
            environment.setdefault("EMBER_THREADS", str(share))
        with open(log, "wb") as f:
            with self.lock:
                if self.stopped:
                    return None
                process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=f,
                                           stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                           start_new_session=True)
                self.running.add(process)
            code = process.wait()
        with self.lock:
            self.running.discard(process)
            if self.stopped:
                return None
        with open(log, errors="replace") as f:
            text = f.read()
        code, detail = judge(step, code, text)
        return self.finish(step, code, round(time.monotonic() - at, 1), detail, text)

    def finish(self, step, code, seconds, detail, text):
        row = {"name": step.name, "status": "failed" if code else "passed", "exit_code": code,
               "seconds": seconds, "detail": detail}
        with self.lock:
            self.results.rows[step.name] = row
            self.results.write()
            self.done[step.name] = (row, text)
            self.print_finished()

    def print_finished(self, all_of_them=False):
        """Rows in order: those before which nothing is outstanding."""
        while self.printed < len(self.order):
            name = self.order[self.printed].name
            if name not in self.done and not all_of_them:
                return
            self.printed += 1
            if name not in self.done:
                continue
            row, text = self.done[name]
            if row["status"] == "passed":
                print("== %s: passed (%g s) %s" % (name, row["seconds"], row["detail"]), flush=True)
                continue
            print("== %s: FAILED with %d (%g s) %s" %
                  (name, row["exit_code"], row["seconds"], row["detail"]))
            print("\n".join(text.rstrip("\n").split("\n")[-TAIL:]), flush=True)

    def stop(self, why):
        with self.lock:
            if self.stopped:
                return
            self.stopped = why
            for process in self.running:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def run_all(self):
        def alone():
            for step in (s for s in self.order if s.alone):
                self.run(step)

        # The long ones first; the order of the list where they cost the same.
        waiting = sorted((s for s in self.order if not s.alone), key=lambda s: -s.cost)

        def work():
            while True:
                with self.lock:
                    if not waiting or self.stopped:
                        return
                    step = waiting.pop(0)
                self.run(step)

        self.in_threads([alone])
        self.in_threads([work] * self.args.jobs)
        with self.lock:
            self.print_finished(all_of_them=True)

    @staticmethod
    def in_threads(work):
        threads = [threading.Thread(target=w) for w in work]
        for thread in threads:
            thread.start()
        # Not one wait without an end: a signal that comes just before such a wait begins is heard
        # only when it is over.
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)


def main():
    args = parse()
    listed = all_steps(args.quick)
    chosen = named_steps.chosen(args, PROGRAM, listed, lambda step: step.name)
    card = (named_steps.cards("name") or [""])[0]
    if not card:
        print("ci/gpu.sh: no GPU on this machine", file=sys.stderr)
        return 5
    args.build, args.out = os.path.abspath(args.build), os.path.abspath(args.out)
    if not os.path.exists(os.path.join(args.build, "ember")):
        make_build(args.build)
    header = {"schema": SCHEMA, "card": card, "driver": named_steps.cards("driver_version")[0],
              "commit": named_steps.commit_of(os.path.join(args.build, "ember")),
              "quick": args.quick}
    results = named_steps.Results(PROGRAM, args.out, header, [s.name for s in listed])
    if args.append:
        results.append_to_file()
    if args.missing:
        chosen = [s for s in chosen
                  if results.rows.get(s.name, {}).get("status") != "passed"]
    with tempfile.TemporaryDirectory(prefix="ember-gpu-") as logs:
        runner = Runner(args, results, chosen, logs)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda n, _: threading.Thread(
                target=runner.stop, args=("signal %d" % n,)).start())
        if args.limit > 0:
            timer = threading.Timer(args.limit, runner.stop, args=("--limit %g" % args.limit,))
            timer.daemon = True
            timer.start()
        runner.run_all()
    results.write()
    if runner.stopped:
        print("stopped by %s: %d of %d steps not run" %
              (runner.stopped, len(chosen) - len(runner.done), len(chosen)))
    print(results.summary(card))
    return 1 if results.failed() else 3 if runner.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
