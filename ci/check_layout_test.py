#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation at a time in a clean tree: check_layout.py must report it, and only it."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CHECK = os.path.join(HERE, "check_layout.py")
sys.path.insert(0, HERE)
from check_layout import RULES, Checker  # noqa: E402
from cpp_text import code_lines  # noqa: E402

CPP = "// SPDX-License-Identifier: Apache-2.0\n"
SHELL = "#!/usr/bin/env bash\n# SPDX-License-Identifier: Apache-2.0\n"
HEADER = CPP + "#pragma once\n"


def include(*headers):
    return "".join('#include "%s"\n' % h for h in headers)


def clean_tree():
    """A small tree with a file in every layer, each including what it may at most include."""
    tree = {
        "kernels/base/error.h": HEADER,
        "kernels/base/env.cpp": CPP + 'void f() { std::getenv("X"); std::free(p); new int(1); }\n',
        "kernels/base/cuda.h": HEADER + "#ifdef EMBER_WITH_CUDA\n#endif\n",
        "kernels/common/vec.h": HEADER + include("kernels/base/error.h"),
        "kernels/no_cuda.cpp": CPP + include("kernels/copy/copy.h", "kernels/norm/norm.h"),
        "kernels/norm/norm.cu": CPP + "#if __CUDA_ARCH__ >= 900\n#endif\n#include <cuda_bf16.h>\n",
        "engine/core/log.h": HEADER + include("kernels/base/error.h"),
        "engine/io/file.h": HEADER + include("engine/core/log.h"),
        "engine/text/tok.h": HEADER + include("engine/io/file.h"),
        "engine/model/config.h": HEADER + include("engine/text/tok.h"),
        "engine/backend/backend.h": HEADER + include("engine/model/config.h", "kernels/norm/norm.h"),
        "engine/runtime/runtime.h": HEADER + include("engine/backend/backend.h"),
        "engine/cli/run.h": HEADER + include("engine/runtime/runtime.h"),
        "engine/cli/run.cpp": CPP + include("engine/cli/run.h") +
                              "#include <CLI/CLI.hpp>\nvoid f() { std::printf(\"x\"); }\n",
        "golden/compare.h": HEADER + include("kernels/base/error.h"),
        "golden/fixture/fixture.h": HEADER + include("golden/compare.h", "engine/io/file.h"),
        "reports/report.h": HEADER + include("kernels/base/error.h"),
        "harness/main.h": HEADER + include("engine/cli/run.h", "golden/compare.h", "reports/report.h"),
        "suites/all.h": HEADER + include("harness/main.h", "golden/fixture/fixture.h"),
        "scripts/run.sh": SHELL + "echo ok\n",
        "scripts/tool.py": "# SPDX-License-Identifier: Apache-2.0\n",
        "docs/a.md": "A session holds a cache. See /usr/local/cuda and build/ember.\n",
    }
    for op in ("copy", "norm"):
        at = "kernels/%s/%s" % (op, op)
        tree[at + ".h"] = HEADER + include("kernels/base/error.h")
        tree[at + "_cases.h"] = HEADER + include(at + ".h")
        tree[at + "_cpu.cpp"] = CPP + include(at + ".h", "kernels/common/vec.h")
        tree[at + "_test.cpp"] = CPP + include(at + "_cases.h", "golden/compare.h") + \
            "#include <gtest/gtest.h>\n"
    for path in list(tree):
        if path.endswith((".cpp", ".cu")):
            lists = os.path.dirname(path) + "/CMakeLists.txt"
            tree[lists] = tree.get(lists, "") + os.path.basename(path) + "\n"
    return tree


class Tree(unittest.TestCase):
    def check(self, tree):
        """The violations [(path, line, rule)] in `tree`."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "wb") as f:
                    f.write(text if isinstance(text, bytes) else text.encode())
                bare = path.endswith("not_executable.sh")
                shebang = not isinstance(text, bytes) and text.startswith("#!")
                os.chmod(full, 0o755 if (shebang and not bare) or "no_shebang" in path else 0o644)
            findings = Checker(root).run()
        self.warned = [(f.path, f.rule) for f in findings if f.warning]
        return [(f.path, f.line, f.rule) for f in findings if not f.warning]

    def plant(self, rule, path, text, line, more=()):
        """Adds `text` to the clean tree at `path`; exactly the violation (path, line, rule) follows."""
        planted.add(rule)
        tree = clean_tree()
        tree[path] = text
        tree.update(more)
        if path.endswith((".cpp", ".cu")):
            lists = os.path.dirname(path) + "/CMakeLists.txt"
            tree[lists] = tree.get(lists, "") + os.path.basename(path) + "\n"
        with self.subTest(rule=rule, path=path):
            self.assertEqual([(path, line, rule)], self.check(tree))

    def test_clean_tree_passes(self):
        self.assertEqual([], self.check(clean_tree()))

    def test_direction(self):
        lower = ["kernels/base/error.h", "kernels/common/vec.h", "kernels/norm/norm.h",
                 "engine/core/log.h", "engine/io/file.h", "engine/text/tok.h",
                 "engine/model/config.h", "engine/backend/backend.h", "engine/runtime/runtime.h",
                 "engine/cli/run.h", "harness/main.h", "suites/all.h"]
        for here, above in zip(lower, lower[1:]):
            path = os.path.dirname(here) + "/up.cpp"
            if here == "kernels/norm/norm.h":
                path = "kernels/norm/norm_more.cpp"
            self.plant("direction", path, CPP + include(here, above), 3)
        self.plant("direction", "kernels/norm/more.cpp", CPP + include("kernels/copy/copy.h"), 2)
        self.plant("direction", "engine/core/a.cpp", CPP + include("golden/compare.h"), 2)
        self.plant("direction", "engine/cli/a.cpp", CPP + include("reports/report.h"), 2)
        self.plant("direction", "golden/a.cpp", CPP + include("engine/core/log.h"), 2)
        self.plant("direction", "golden/a.cpp", CPP + include("golden/fixture/fixture.h"), 2)
        self.plant("direction", "golden/fixture/a.cpp", CPP + include("engine/text/tok.h"), 2)
        self.plant("direction", "reports/a.cpp", CPP + include("harness/main.h"), 2)
        self.plant("direction", "reports/a.cpp", CPP + include("engine/core/log.h"), 2)
        self.plant("direction", "engine/runtime/a.cpp", CPP + include("kernels/norm/norm_cases.h"), 2)
        self.plant("direction", "engine/core/core_test.cpp", CPP + include("engine/io/file.h"), 2)
        self.plant("direction", "kernels/norm/more_test.cpp", CPP + include("kernels/copy/copy.h"), 2)

    def test_include_form(self):
        self.plant("include-form", "engine/core/a.cpp", CPP + '#include "log.h"\n', 2)
        self.plant("include-form", "engine/core/a.cpp", CPP + '#include "../core/log.h"\n', 2)
        self.plant("include-form", "engine/core/a.cpp", CPP + "#include <engine/core/log.h>\n", 2)

    def test_library(self):
        self.plant("library", "engine/core/a.cpp", CPP + "#include <CLI/CLI.hpp>\n", 2)
        self.plant("library", "engine/core/a.cpp", CPP + "#include <gtest/gtest.h>\n", 2)
        self.plant("library", "engine/core/a.cpp", CPP + "#include <cuda_runtime.h>\n", 2)
        self.plant("library", "engine/core/a.cpp", CPP + "#include <cblas.h>\n", 2)
        self.plant("library", "kernels/norm/a.cpp", CPP + "#include <nlohmann/json.hpp>\n", 2)

    def test_test_files_are_included_by_nobody(self):
        self.plant("test-include", "kernels/norm/a.cpp", CPP + include("kernels/norm/norm_test.cpp"), 2)

    def test_first_lines(self):
        self.plant("spdx", "engine/core/a.h", "#pragma once\n", 1)
        self.plant("spdx", "engine/core/a.h", "\n" + HEADER, 1)
        self.plant("spdx", "scripts/a.py", "import os\n", 1)
        self.plant("spdx", "scripts/a.sh", "#!/bin/bash\necho\n", 1)
        self.plant("pragma-once", "engine/core/a.h", CPP + "int f();\n", 1)
        self.plant("pragma-once", "engine/core/a.h", CPP + "#include <string>\n#pragma once\n", 2)
        self.plant("pragma-once", "engine/core/a.h", CPP + "// #pragma once\n", 1)

    def test_cuda_conditionals(self):
        for text in ("#ifdef EMBER_CUDA\n#endif\n", "#if defined(__CUDACC__)\n#endif\n",
                     "#ifndef EMBER_WITH_CUDA\n#endif\n"):
            self.plant("cuda-ifdef", "engine/core/a.h", HEADER + text, 3)
        self.plant("cuda-ifdef", "engine/core/a.h", HEADER + "#if __CUDA_ARCH__ > 1\n#endif\n", 3)
        self.plant("cuda-ifdef", "kernels/norm/b.cu", CPP + "#ifdef EMBER_CUDA\n#endif\n", 2)

    def test_habits(self):
        for text in ('std::getenv("A");', 'getenv ("A");', 'secure_getenv("A");'):
            self.plant("getenv", "engine/core/a.cpp", CPP + text + "\n", 2)
        for text in ("testing::TempDir();", "fs::temp_directory_path();", "mkdtemp(name);"):
            self.plant("temporary", "engine/core/a.cpp", CPP + text + "\n", 2)
        for text in ("auto* p = new int[3];", "delete p;", "delete[] p;", "std::malloc(3);", "free(p);",
                     "std::vector<int*> v{new int(1)};"):
            self.plant("raw-new", "engine/core/a.cpp", CPP + text + "\n", 2)
        for text in ("printf(1);", "std::puts(s);", "std::cout << 1;", "std::fputs(s, stdout);",
                     "write(STDOUT_FILENO, p, 1);"):
            self.plant("stdout", "engine/runtime/a.cpp", CPP + text + "\n", 2)
        self.plant("todo", "engine/core/a.cpp", CPP + "// TO" + "DO: later\n", 2)
        self.plant("todo", "engine/core/a.cpp", CPP + "int x;  // FIX" + "ME\n", 2)

    def test_what_looks_like_a_violation_is_none(self):
        text = CPP + "\n".join((
            "// new int; getenv(\"A\"); printf(\"x\"); delete p; malloc(3)",
            "/* #ifdef EMBER_CUDA", " std::cout << new int */",
            'const char* s = "new int; std::cout; getenv(\\"A\\")";',
            'const char* r = R"(', '#include "nowhere.h"', ' printf("x") )";',
            "A(const A&) = delete;", "auto p = std::shared_ptr<const A>(new A(1));",
            "auto q = std::shared_ptr<const A>(", "    new A(1));", "int n = 1'000'000;",
            "char c = '\"'; int renew = 0; a.free(1); snprintf(b, 1, s); std::fprintf(stderr, s);",
            "if (isatty(STDOUT_FILENO)) {}", "int new_size = prefix_new + 1;",
            "// TO" + "DO(kernels): drop when sm_80 goes", "#ifdef __AVX2__", "#endif", ""))
        tree = clean_tree()
        tree["engine/core/fine.cpp"] = text
        tree["engine/core/CMakeLists.txt"] = "add(fine.cpp)\n"
        self.assertEqual([], self.check(tree))

    def test_machine_paths_and_words(self):
        for path in ("/wo" + "rk/x", "/op" + "t/hf/venv", "/ho" + "me/ann/x", "/ro" + "ot/x"):
            self.plant("machine-path", "docs/b.md", "ok\nsee " + path + "\n", 2)
            self.plant("machine-path", "golden/b.json", '{"from": "' + path + '"}\n', 1)
        for word in ("is" + "sue 12", "Is" + "sue #3", "Co-Auth" + "ored-By: x", "AI-gener" + "ated"):
            self.plant("words", "docs/b.md", "ok\n" + word + "\n", 2)
        self.plant("words", "docs/b.md", b"caf\xe9\n", 1)
        tree = clean_tree()  # a vocabulary is not ours to judge
        tree["golden/models/m/tokenizer.json"] = '{"/wo' + 'rk/": 1}\n'
        self.assertEqual([], self.check(tree))

    def test_links_in_documents(self):
        self.plant("doc-link", "docs/b.md", "ok\nsee [the map](nowhere.md)\n", 2)
        self.plant("doc-link", "docs/b.md", "[a](a.md), [c](../c.md#part)\n", 1)
        tree = clean_tree()
        tree["docs/b.md"] = "[a](a.md#x) [w](https://example.org/a) [up](../scripts/run.sh)\n"
        self.assertEqual([], self.check(tree))

    def test_op_folders(self):
        planted.add("op-files")
        for suffix in (".h", "_cpu.cpp", "_cases.h", "_test.cpp"):
            tree = clean_tree()
            for other in (".h", "_cpu.cpp", "_cases.h", "_test.cpp"):
                if other != suffix:
                    tree["kernels/gemm/gemm" + other] = HEADER if other.endswith(".h") else CPP
            tree["kernels/gemm/CMakeLists.txt"] = "gemm_cpu.cpp gemm_test.cpp\n"
            found = self.check(tree)
            self.assertEqual([("kernels/gemm/gemm" + suffix, 1, "op-files")], found)

    def test_cmake_lists(self):
        planted.add("cmake-list")
        tree = clean_tree()
        tree["engine/core/a_test.cpp"] = CPP
        tree["engine/core/CMakeLists.txt"] = "# a_test.cpp\nother_a_test.cpp\n"
        found = self.check(tree)
        self.assertEqual([("engine/core/CMakeLists.txt", 1, "cmake-list")], found)
        tree["engine/core/CMakeLists.txt"] = "foreach(t a b)\nx(${t}_test.cpp)\nendforeach()\n"
        self.assertEqual([], self.check(tree))
        tree["engine/core/CMakeLists.txt"] = "foreach(t b c)\nx(${t}_test.cpp)\nendforeach()\n"
        self.assertEqual([("engine/core/CMakeLists.txt", 1, "cmake-list")], self.check(tree))
        del tree["engine/core/CMakeLists.txt"]
        found = self.check(tree)
        self.assertEqual([("engine/core/CMakeLists.txt", 1, "cmake-list")], found)

    def test_scripts(self):
        self.plant("executable", "scripts/not_executable.sh", SHELL, 1)
        self.plant("executable", "scripts/no_shebang.py",
                   "# SPDX-License-Identifier: Apache-2.0\n", 1)
        self.plant("shell-syntax", "scripts/a.sh", SHELL + "if true; then\n", 1)

    def test_long_files_are_warned_about(self):
        planted.add("long-file")
        tree = clean_tree()
        tree["engine/core/long.h"] = HEADER + "\n" * 199
        tree["engine/core/fits.h"] = HEADER + "\n" * 198
        self.assertEqual([], self.check(tree))
        self.assertEqual([("engine/core/long.h", "long-file")], self.warned)

    def test_git_decides_which_files_count(self):
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["git", "init", "-q", root], check=True)
            for name, text in ((".gitignore", "/out/\n"), ("out/a.h", "x\n"), ("engine/core/b.h", "x\n")):
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w") as f:
                    f.write(text)
            done = subprocess.run([sys.executable, CHECK, "--root", root], stdout=subprocess.PIPE,
                                  universal_newlines=True)
        self.assertEqual(1, done.returncode)
        self.assertIn("engine/core/b.h:1: spdx", done.stdout)
        self.assertNotIn("out/a.h", done.stdout)

    def test_exit_codes(self):
        with tempfile.TemporaryDirectory() as root:
            done = subprocess.run([sys.executable, CHECK, "--root", root])
        self.assertEqual(0, done.returncode)
        done = subprocess.run([sys.executable, CHECK, "--root", "/nonexistent"],
                              stderr=subprocess.PIPE)
        self.assertEqual(2, done.returncode)


class Blanking(unittest.TestCase):
    def test_lines_survive(self):
        text = 'a /* b\nc */ d "e\\"f" // g\nR"x(h\n)" i)x" j\n'
        self.assertEqual(["a  ", ' d ""  ', '""', " j", ""], code_lines(text))


class Complete(unittest.TestCase):
    def test_zz_every_rule_has_a_planted_violation(self):
        self.assertEqual(set(RULES), planted)


planted = set()

if __name__ == "__main__":
    loader = unittest.TestLoader()
    suite = unittest.TestSuite(map(loader.loadTestsFromTestCase, (Tree, Blanking, Complete)))
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())
