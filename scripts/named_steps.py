# SPDX-License-Identifier: Apache-2.0
"""What the scripts share that run named steps on GPUs (ci/gpu.sh, scripts/multi_gpu.sh): options that
choose steps, facts of the machine and the build, and the file of results."""
import json
import os
import re
import subprocess
import sys


def usage(program, text):
    """Ends a wrong call."""
    print("%s: %s" % (program, text), file=sys.stderr)
    sys.exit(2)


def add_options(parser, same):
    """--steps, --append and --list; `same`: what must not change between the rows of one file."""
    parser.add_argument("--steps", default="", metavar="REGEX", help="only steps whose name matches")
    parser.add_argument("--append", action="store_true",
                        help="merge into the result file: same %s; a step that runs again replaces "
                        "its row" % same)
    parser.add_argument("--list", action="store_true", help="print the names of the steps and stop")


def chosen(args, program, steps, name_of):
    """Those of `steps` that --steps names. With --list prints their names and ends."""
    try:
        pattern = re.compile(args.steps)
    except re.error as e:
        usage(program, "--steps %s: %s" % (args.steps, e))
    found = [s for s in steps if pattern.search(name_of(s))]
    if not found:
        usage(program, "--steps %s: no step of that name; --list prints them" % args.steps)
    if args.list:
        print("\n".join(name_of(s) for s in found))
        sys.exit(0)
    return found


def cards(field):
    """What nvidia-smi says of each GPU: "name", "driver_version"; [] where there is none."""
    try:
        got = subprocess.run(["nvidia-smi", "--query-gpu=" + field, "--format=csv,noheader"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return got.stdout.decode().strip().split("\n")


def commit_of(binary):
    """The commit that `ember` was built from: a carried build need not be that of this tree."""
    got = subprocess.run([binary, "--version"], stdout=subprocess.PIPE)
    found = re.search(rb"[0-9a-f]{40}", got.stdout)
    return found.group(0).decode() if found else "unknown"


class Results:
    """The result file: `header`, and a row for each of the steps `names` that has ended, in their
    order. A row has "name" and "status", of which "failed" counts as such."""

    def __init__(self, program, path, header, names):
        self.program, self.path, self.header, self.names = program, str(path), header, names
        self.rows = {}

    def append_to_file(self):
        """Takes over the rows of an earlier part of the same run."""
        if not os.path.exists(self.path):
            return
        try:
            with open(self.path) as f:
                old = json.load(f)
            rows = {row["name"]: row for row in old["steps"]}
        except (ValueError, KeyError, TypeError) as e:
            usage(self.program, "--append: %s is not a result file: %r" % (self.path, e))
        for name, value in self.header.items():
            if old.get(name) != value:
                usage(self.program, "--append: %s has %s %s, this run has %s; write to another file" %
                      (self.path, name, json.dumps(old.get(name)), json.dumps(value)))
        if self.header["commit"] == "unknown":
            usage(self.program, "--append: the build does not tell its commit, so rows could be of "
                  "different code")
        self.rows = {name: row for name, row in rows.items() if name in self.names}

    def failed(self):
        return sum(row["status"] == "failed" for row in self.rows.values())

    def complete(self):
        return all(name in self.rows for name in self.names)

    def write(self):
        whole = dict(self.header, complete=self.complete(), expected=len(self.names),
                     failed=self.failed(),
                     steps=[self.rows[name] for name in self.names if name in self.rows])
        with open(self.path + ".new", "w") as f:
            json.dump(whole, f, indent=1)
            f.write("\n")
        os.replace(self.path + ".new", self.path)

    def summary(self, where):
        return ("%d of %d steps on %s, %d failed%s; %s" %
                (len(self.rows), len(self.names), where, self.failed(),
                 "" if self.complete() else " (not complete)", self.path))
