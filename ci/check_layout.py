#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what a compiler does not: the direction of includes and the habits of the repository.

    ci/check_layout.py [--root DIR] [--rules] [--quiet]

Prints one line a finding, `path:line: rule: what is wrong`, then a summary. Exit code 0 when there is
no violation, 1 when there is, 2 for a wrong call. Warnings (long files) do not fail.
Needs Python 3.8 or newer and nothing else. docs/development.md explains each rule.
"""
import argparse
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cpp_text import code_lines  # noqa: E402

Finding = collections.namedtuple("Finding", "path line rule text warning")

RULES = {
    "direction": "an include points only down the layers, or sideways in its own folder",
    "include-form": "project headers are included in quotes, by full path, and exist",
    "test-include": "nothing includes a _test file",
    "library": "a library's headers stay in the layers that own it",
    "spdx": "the first line (after #!) is the SPDX licence line",
    "pragma-once": "a header has #pragma once before its first include",
    "cuda-ifdef": "no conditional on CUDA outside kernels/base",
    "getenv": "environment variables are read in kernels/base/env.cpp alone",
    "temporary": "temporary files lie in a kernels/base/temporary_directory.h",
    "raw-new": "no raw new, delete, malloc or free outside kernels/base",
    "stdout": "only engine/cli, harness and suites write to stdout",
    "todo": "a TODO names its owner and condition: TODO(owner): when",
    "machine-path": "no path of one machine",
    "words": "the repository speaks of the project alone",
    "op-files": "an op's folder has contract, oracle, cases and test",
    "cmake-list": "a folder with sources has a CMakeLists.txt that names each of them",
    "executable": "a script with #! is executable, and an executable has #!",
    "shell-syntax": "bash reads the script without complaint",
    "doc-link": "a relative link in a .md file leads to a file",
    "long-file": "a file past 400 lines, a header past 200, is usually two things (warning)",
}

CPP = (".h", ".cpp", ".cu", ".cuh")
HEADERS = (".h", ".cuh")
ENGINE = ["core", "io", "text", "model", "backend", "runtime", "cli"]
GETENV = {"kernels/base/env.cpp", "kernels/base/nvtx_probe.cpp"}  # the probe is a tool of its own
GENERATED = {"ember_commit.h"}  # written by the build
# Ops that are others in one launch, and fall back to them.
FUSED = {
    "op:attention_step": ("op:attention", "op:qk_norm_rope"),
    "op:decode_layers": ("op:attention_step", "op:linear", "op:norm_linear"),
}
# Whole files of data whose text is not ours to judge.
DATA = re.compile(r"(^|/)(tokenizer\.json|vocab\.json|merges\.txt|added_tokens\.json)$|"
                  r"\.(safetensors|bin|gz|xz|zst|png|svg)$")
# Put together from pieces, so that this file does not report itself.
MACHINE_PATH = re.compile("|".join(re.escape("/" + p) for p in (
    "work" + "/", "opt" + "/hf", "root" + "/", "tmp" + "/bash_jobs")) + r"|/home" + r"/[a-z]\w*/")
WORDS = re.compile(r"\b(" + "|".join(("cla" + "ude", "chat" + "gpt", "anthro" + "pic", "co-auth" +
                   "ored-by", "sub-?ag" + "ents?", "ai[- ]gener" + "ated", "lang" + "uage model wrote",
                   "issue" + r" #?\d+", "pull requ" + r"est #?\d+", "arti" + "factory")) + r")\b", re.I)
LIBRARIES = [  # header pattern, where it may appear, in words
    (r"CLI/|CLI11", r"^(engine/cli|harness|suites)/", "engine/cli, harness and suites"),
    (r"gtest/|gmock/", r"_test\.cpp$|testing\.h$", "tests"),
    (r"cuda|cublas|nvToolsExt|nvtx3|nvml|mma\.h", r"^kernels/|\.cuh?$", "kernels and .cu files"),
    (r"cblas|openblas", r"^kernels/", "kernels"),
    (r"nlohmann/", r"^(engine|golden|harness|reports|suites)/", "the layers above kernels"),
    (r"pcre2|utf8proc|unicode/", r"^engine/text/", "engine/text"),
    (r"sqlite3", r"^reports/nsys/", "reports/nsys"),
    (r"editline|readline|histedit", r"^engine/cli/", "engine/cli"),
]


def tracked_files(root):
    """Files that git knows or would add, or every file where git does not answer."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard", "-z"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if git.returncode == 0:
        names = [n.decode("utf-8", "surrogateescape") for n in git.stdout.split(b"\0") if n]
        return sorted(n for n in set(names) if os.path.isfile(os.path.join(root, n)))
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [d for d in folders if d != ".git" and not d.startswith("build")]
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(found)


def layer(path):
    """The name of the layer that a path belongs to, or None outside the layers."""
    parts = path.split("/")
    if parts[0] == "kernels":
        if len(parts) == 2:
            return "kernels"  # link stubs over every op
        return parts[1] if parts[1] in ("base", "common") else "op:" + parts[1]
    if parts[0] == "engine" and len(parts) > 2 and parts[1] in ENGINE:
        return "engine/" + parts[1]
    if parts[0] == "golden":
        return "golden/fixture" if parts[1] == "fixture" else "golden"
    return parts[0] if parts[0] in ("harness", "suites", "reports") else None


def may_include(source, target):
    """Whether a file of layer `source` may include a header of layer `target`."""
    if source == target:
        return True
    kernels = target in ("base", "common") or target.startswith("op:")
    if source in ("base", "common"):
        return source == "common" and target == "base"
    if source.startswith("op:"):
        return target in ("base", "common") or target in FUSED.get(source, ())
    if source == "kernels":
        return kernels
    if source == "golden":
        return target == "base"
    if source == "golden/fixture":
        return target in ("base", "golden", "engine/core", "engine/io")
    if source == "reports":
        return target in ("base", "engine/io")
    if source.startswith("engine/"):
        here = ENGINE.index(source[7:])
        return kernels or (target.startswith("engine/") and ENGINE.index(target[7:]) < here)
    if source == "harness":
        return kernels or target.startswith(("engine/", "golden")) or target == "reports"
    return source == "suites"


class Checker:
    def __init__(self, root):
        self.root = root
        self.files = tracked_files(root)
        self.known = set(self.files)
        self.findings = []

    def report(self, path, line, rule, text, warning=False):
        self.findings.append(Finding(path, line, rule, text, warning))

    def run(self):
        for path in self.files:
            text = self.read(path)
            if text is None:
                continue
            self.check_text(path, text)
            if path.endswith(CPP):
                self.check_cpp(path, text)
        self.check_folders()
        self.findings.sort(key=lambda f: (f.warning, f.path, f.line, f.rule))
        return self.findings

    def read(self, path):
        """The text of a file, or None for data and for what is not UTF-8."""
        if DATA.search(path):
            return None
        try:
            with open(os.path.join(self.root, path), encoding="utf-8") as f:
                return f.read()
        except UnicodeDecodeError:
            if path.endswith(CPP + (".py", ".sh", ".cmake", ".md", ".txt")):
                self.report(path, 1, "words", "is not UTF-8")
            return None

    def check_text(self, path, text):
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            for rule, pattern in (("machine-path", MACHINE_PATH), ("words", WORDS)):
                hit = pattern.search(line)
                if hit:
                    self.report(path, number, rule, "'%s'" % hit.group(0))
        if path.endswith(CPP + (".py", ".sh")) or path == ".ci/run":
            if lines[0].startswith("#!"):
                lines = lines[1:]
            comment = "//" if path.endswith(CPP) else "#"
            if not lines or lines[0].strip() != comment + " SPDX-License-Identifier: Apache-2.0":
                self.report(path, 1, "spdx", "expected '%s SPDX-License-Identifier: Apache-2.0'" %
                            comment)
        if path.endswith(".md"):
            self.check_links(path, lines)
        self.check_script(path, text)

    def check_links(self, path, lines):
        for number, line in enumerate(lines, 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                full = os.path.join(self.root, os.path.dirname(path), target)
                if not os.path.exists(full):
                    self.report(path, number, "doc-link", "no such file: %s" % target)

    def check_script(self, path, text):
        full = os.path.join(self.root, path)
        shebang = text.startswith("#!")
        if shebang != os.access(full, os.X_OK):
            self.report(path, 1, "executable", "has #! but is not executable" if shebang
                        else "is executable but has no #!")
        if path.endswith(".sh") or (shebang and "bash" in text.split("\n", 1)[0]):
            bash = subprocess.run(["bash", "-n", full], stderr=subprocess.PIPE)
            if bash.returncode != 0:
                message = bash.stderr.decode("utf-8", "replace").strip().split("\n")[0]
                self.report(path, 1, "shell-syntax", message.replace(full, path))

    def check_cpp(self, path, text):
        lines = code_lines(text)
        limit = 200 if path.endswith(HEADERS) else 400
        count = text.count("\n")
        generated = "not edited by hand" in text[:400]
        if count > limit and not generated:
            self.report(path, count, "long-file", "%d lines, aim for %d" % (count, limit), True)
        once = False
        for number, line in enumerate(lines, 1):
            once = once or re.match(r"\s*#\s*pragma\s+once\b", line) is not None
            include = re.match(r'\s*#\s*include\s*([<"])([^>"]*)[>"]', line)
            if include:
                if path.endswith(HEADERS) and not once:
                    self.report(path, number, "pragma-once", "missing before the first include")
                    once = True
                self.check_include(path, number, include.group(1), include.group(2))
            else:
                self.check_code(path, number, line, lines[number - 2] if number > 1 else "")
        if path.endswith(HEADERS) and not once:
            self.report(path, 1, "pragma-once", "missing")
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b(?!\([\w. -]+\): \S)", line):
                self.report(path, number, "todo", "expected TODO(owner): when it goes")

    def check_include(self, path, number, mark, target):
        for pattern, where, words in LIBRARIES:
            if mark == "<" and re.match(pattern, target) and not re.search(where, path):
                self.report(path, number, "library", "<%s> belongs to %s" % (target, words))
        if mark == "<":
            if target in self.known:
                self.report(path, number, "include-form", "write \"%s\" in quotes" % target)
            return
        if target in GENERATED:
            return
        if re.search(r"_test\.\w+$", target):
            self.report(path, number, "test-include", "includes the test file %s" % target)
        if target not in self.known:
            self.report(path, number, "include-form",
                        "no such file from the repository's root: %s" % target)
            return
        source, reached = layer(path), layer(target)
        if source is None or reached is None:
            return
        allowed = may_include(source, reached)
        if path.endswith("_test.cpp"):
            allowed = allowed or reached == "golden"
        elif target.endswith("_cases.h") and source.startswith("engine"):
            allowed = False
        if not allowed:
            self.report(path, number, "direction", "%s may not include %s (%s)" %
                        (source.replace("op:", "kernels/"), reached.replace("op:", "kernels/"),
                         target))

    def check_code(self, path, number, line, before):
        test = path.endswith("_test.cpp")
        base = path.startswith("kernels/base/")
        condition = re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b(.*)", line)
        if condition and not base:
            names = re.findall(r"\w*CUDA\w*", condition.group(2))
            device = path.endswith((".cu", ".cuh"))
            for name in names:
                if not (device and name == "__CUDA_ARCH__"):
                    self.report(path, number, "cuda-ifdef", "conditional on %s" % name)
        if re.search(r"\b(secure_)?getenv\s*\(", line) and path not in GETENV:
            self.report(path, number, "getenv", "ask kernels/base/env.h")
        if not base and re.search(r"\b(temp_directory_path|TempDir|mkdtemp|tmpnam)\b", line):
            self.report(path, number, "temporary", "tests run side by side: use TemporaryDirectory")
        if not base and not test:
            raw = re.search(r"(?<!operator )\bnew\s+[A-Za-z_:(]|(?<!= )(?<!operator )\bdelete\b(?!;)|"
                            r"(?<![.>\w])(std::)?(malloc|calloc|realloc|free)\s*\(", line)
            # A private constructor keeps make_shared away: `new` straight into a smart pointer is owned.
            owned = re.search(r"_ptr<[^;]*>\(\s*new\s", before + " " + line)
            if raw and not owned:
                self.report(path, number, "raw-new", "'%s'" % raw.group(0).strip())
        if layer(path) and not test and not path.startswith(("engine/cli/", "harness/", "suites/")):
            out = re.search(r"\bstdout\b|\bcout\b|\bSTDOUT_FILENO\b|"
                            r"(?<![\w])(printf|puts|putchar|vprintf)\s*\(",
                            line.replace("isatty(STDOUT_FILENO)", ""))
            if out:
                self.report(path, number, "stdout", "'%s'" % out.group(0))

    def check_folders(self):
        ops = sorted({p.split("/")[1] for p in self.files if re.match(r"kernels/[^/]+/", p)})
        for op in (o for o in ops if o not in ("base", "common")):
            for suffix in (".h", "_cpu.cpp", "_cases.h", "_test.cpp"):
                path = "kernels/%s/%s%s" % (op, op, suffix)
                if path not in self.known:
                    self.report(path, 1, "op-files", "is missing")
        sources = [p for p in self.files if p.endswith((".cpp", ".cu")) and layer(p)]
        for folder in sorted({os.path.dirname(p) for p in sources}):
            self.check_cmake(folder, [p for p in sources if os.path.dirname(p) == folder])

    def check_cmake(self, folder, sources):
        path = folder + "/CMakeLists.txt"
        if path not in self.known:
            self.report(path, 1, "cmake-list", "is missing")
            return
        text = re.sub(r"#.*", "", self.read(path) or "")
        for loop in re.finditer(r"foreach\((\w+)\s+([^)]*)\)(.*?)endforeach", text, re.S):
            for item in loop.group(2).split():
                text += loop.group(3).replace("${%s}" % loop.group(1), item)
        for source in sources:
            name = re.escape(os.path.basename(source))
            if not re.search(r"(?<![\w./-])%s(?![\w.-])" % name, text):
                self.report(path, 1, "cmake-list", "does not name %s" % os.path.basename(source))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))), help="the tree to check (default: this repository)")
    parser.add_argument("--rules", action="store_true", help="print the rules and stop")
    parser.add_argument("--quiet", action="store_true", help="do not print warnings")
    args = parser.parse_args()
    if args.rules:
        for name, text in RULES.items():
            print("%-13s %s" % (name, text))
        return 0
    if not os.path.isdir(args.root):
        parser.error("no such folder: %s" % args.root)
    checker = Checker(os.path.abspath(args.root))
    findings = checker.run()
    for f in findings:
        if not (f.warning and args.quiet):
            print("%s:%d: %s%s: %s" % (f.path, f.line, "warning: " if f.warning else "", f.rule,
                                       f.text))
    bad = sum(not f.warning for f in findings)
    print("layout: %d files, %d violations, %d warnings" %
          (len(checker.files), bad, len(findings) - bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
