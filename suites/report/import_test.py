#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ember report import on exports of Nsight Systems that are made here, with times worked out by hand.

    import_test.py EMBER WITH_SQLITE     WITH_SQLITE: ON, or OFF for a build without SQLite

Needs Python 3.8 and the packages sqlite3 and jsonschema (python3-jsonschema). Exit code 77 without.
"""
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
    import sqlite3
except ImportError as missing:
    print("skipped:", missing)
    sys.exit(77)

EMBER, WITH_SQLITE = os.path.abspath(sys.argv[1]), sys.argv[2] == "ON"
SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "reports",
                      "schema.json")
CORPUS = os.path.join(os.path.dirname(SCHEMA), "..", "ci", "corpus", "nsys_fuzz")
PID = (1 << 48) | (4242 << 24)  # of the process, as the export writes it
TID = PID | 17
US = 1000

NVTX = """start INTEGER NOT NULL, end INTEGER, eventType INTEGER NOT NULL, rangeId INTEGER,
  category INTEGER, color INTEGER, text TEXT, globalTid INTEGER, endGlobalTid INTEGER,
  textId INTEGER, domainId INTEGER, uint64Value INTEGER, int64Value INTEGER, doubleValue REAL,
  uint32Value INTEGER, int32Value INTEGER, floatValue REAL, jsonTextId INTEGER, jsonText TEXT"""
KERNEL = """start INTEGER NOT NULL, end INTEGER NOT NULL, deviceId INTEGER NOT NULL,
  contextId INTEGER NOT NULL, streamId INTEGER NOT NULL, correlationId INTEGER, globalPid INTEGER,
  demangledName INTEGER NOT NULL, shortName INTEGER NOT NULL, gridX INTEGER NOT NULL,
  graphNodeId INTEGER"""
RUNTIME = """start INTEGER NOT NULL, end INTEGER NOT NULL, eventClass INTEGER NOT NULL,
  globalTid INTEGER, correlationId INTEGER, nameId INTEGER NOT NULL, returnValue INTEGER NOT NULL"""


class Export:
    """An export, table by table; those without rows are not made, as nsys does."""

    def __init__(self, loose=False):
        self.strings, self.tables, self.correlation = {}, {}, 0
        self.columns = {"StringIds": "id INTEGER PRIMARY KEY, value TEXT NOT NULL",
                        "NVTX_EVENTS": NVTX, "CUPTI_ACTIVITY_KIND_KERNEL": KERNEL,
                        "CUPTI_ACTIVITY_KIND_RUNTIME": RUNTIME}
        if loose:
            self.columns = {t: c.replace(" NOT NULL", "").replace(" INTEGER", "").replace(" TEXT", "")
                            for t, c in self.columns.items()}

    def add(self, table, **row):
        self.tables.setdefault(table, []).append(row)
        return row

    def string(self, text):
        if text not in self.strings:
            self.strings[text] = len(self.strings) + 1
            self.add("StringIds", id=self.strings[text], value=text)
        return self.strings[text]

    def domain(self, name="ember", number=3, tid=TID):
        return self.add("NVTX_EVENTS", start=-5000 * US, eventType=75, text=name, globalTid=tid,
                        domainId=number)

    def range(self, name, start, end, tid=TID, domain=3, payload=None, kind=59):
        return self.add("NVTX_EVENTS", start=start * US, end=None if end is None else end * US,
                        eventType=kind, textId=self.string(name), globalTid=tid, domainId=domain,
                        int64Value=payload)

    def call(self, at, tid=TID, name="cudaLaunchKernel_v7000"):
        self.correlation += 1
        self.add("CUPTI_ACTIVITY_KIND_RUNTIME", start=at * US, end=(at + 1) * US, eventClass=0,
                 globalTid=tid, correlationId=self.correlation, nameId=self.string(name),
                 returnValue=0)

    def kernel(self, name, start, length, device=0, node=None, pid=PID):
        """A kernel of the latest call."""
        return self.add("CUPTI_ACTIVITY_KIND_KERNEL", start=start * US, end=(start + length) * US,
                        deviceId=device, contextId=1, streamId=7, correlationId=self.correlation,
                        globalPid=pid, demangledName=self.string("void ember::%s<float>(int)" % name),
                        shortName=self.string(name), gridX=1, graphNodeId=node)

    def launch(self, at, name, start, length, **more):
        self.call(at)
        return self.kernel(name, start, length, **more)

    def write(self, path):
        if os.path.exists(path):
            os.remove(path)
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            for table, rows in self.tables.items():
                columns = self.columns.get(table) or ", ".join(rows[0])
                db.execute("CREATE TABLE %s (%s)" % (table, columns))
                for row in rows:
                    db.execute("INSERT INTO %s (%s) VALUES (%s)" %
                               (table, ", ".join(row), ", ".join("?" * len(row))),
                               list(row.values()))
        return path


def sample():
    """Two decode steps in a graph, a prefill kernel by kernel, on two devices."""
    e = Export()
    e.domain()
    e.domain("NCCL", 1)
    e.range("load", 0, 10, payload=1 << 20)
    e.range("prefill_chunk", 100, 200, payload=512)
    e.range("layer", 110, 150, payload=0)
    e.range("linear", 112, 120, payload=4096)
    e.range("linear", 122, 130, payload=1024)
    e.range("layer", 150, 190, payload=1)
    e.range("linear", 152, 160, payload=4096)
    e.range("decode_step", 300, 320, payload=512)
    e.range("decode_step", 400, 420, payload=513)
    e.range("ncclAllReduce", 305, 315, domain=1)
    e.add("NVTX_EVENTS", start=5, eventType=34, text="a mark", globalTid=TID, domainId=3)
    e.launch(113, "gemm", 1000, 40)
    e.launch(123, "gemm", 1050, 20)
    e.launch(140, "norm", 1075, 5)
    e.launch(153, "gemm", 2000, 41, device=1)
    e.call(310, name="cudaGraphLaunch_v10000")  # the graph's kernels are the call's
    e.kernel("gemv", 3000, 7, node=1)
    e.kernel("gemv", 3010, 8, node=2)
    e.kernel("norm", 3020, 1, node=3)
    e.call(410, name="cudaGraphLaunch_v10000")
    e.kernel("gemv", 4000, 9, node=1)
    e.kernel("gemv", 4010, 10, node=2)
    e.launch(500, "argmax", 5000, 3)
    for gpu, name in ((0, "NVIDIA H100 80GB HBM3"), (1, "NVIDIA L4")):
        e.add("TARGET_INFO_GPU", id=gpu, name=name, totalMemory=80 << 30, smCount=132,
              computeMajor=9, computeMinor=gpu)
        e.add("TARGET_INFO_CUDA_DEVICE", gpuId=1 - gpu, cudaId=gpu, pid=4242)
    e.add("TARGET_INFO_SESSION_START_TIME", utcEpochNs=1767225600000000000)
    return e


def ember(*args, code=0):
    run = subprocess.run([EMBER, "report", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=120)
    out, err = run.stdout.decode(), run.stderr.decode()
    assert run.returncode == code, "exit %d, expected %d\n%s%s" % (run.returncode, code, out, err)
    return out, err


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        with open(SCHEMA) as f:
            cls.validator = jsonschema.Draft202012Validator(json.load(f))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def cases(self, export, *flags):
        """Its report's values in us, by the case's parameters, and what stderr said."""
        path = export.write(self.file("e.sqlite"))
        _, err = ember("import", path, "-o", self.file("r.json"), *flags)
        ember("validate", self.file("r.json"))
        with open(self.file("r.json")) as f:
            report = json.load(f)
        self.validator.validate(report)
        values = {}
        for c in report["cases"]:
            p = c["params"]
            key = (c["id"].split("/")[1], p["range"]) + tuple(
                p[k] for k in ("device", "kernel") if k in p)
            values[key] = [round(v * 1e6, 6) for v in c["samples"][0]["values"]] if c["samples"] \
                else c["reason"]
        return values, err

    def refused(self, export, *parts, flags=(), code=4):
        path = export if isinstance(export, str) else export.write(self.file("bad.sqlite"))
        out, err = ember("import", path, *flags, code=code)
        for part in parts:
            self.assertIn(part, err)
        self.assertEqual(out, "")
        return err

    def test_times_by_range_and_kernel(self):
        values, err = self.cases(sample())
        self.assertEqual(err, "")
        gemm, gemv, norm, argmax = ("ember::%s<float>" % k for k in
                                    ("gemm", "gemv", "norm", "argmax"))
        chunk = "prefill_chunk"
        self.assertEqual(values, {
            ("nvtx_range", "load"): "no kernel was launched in any of its 1 ranges",
            ("nvtx_range", chunk, 0): [65], ("nvtx_span", chunk, 0): [80],
            ("nvtx_range", chunk, 1): [41], ("nvtx_span", chunk, 1): [41],
            ("nvtx_range", chunk + "/layer", 0): [65],
            ("nvtx_span", chunk + "/layer", 0): [80],
            ("nvtx_kernel", chunk + "/layer", 0, norm): [5],
            ("nvtx_range", chunk + "/layer", 1): [41],
            ("nvtx_span", chunk + "/layer", 1): [41],
            ("nvtx_range", chunk + "/layer/linear", 0): [40, 20],
            ("nvtx_span", chunk + "/layer/linear", 0): [40, 20],
            ("nvtx_kernel", chunk + "/layer/linear", 0, gemm): [40, 20],
            ("nvtx_range", chunk + "/layer/linear", 1): [41],
            ("nvtx_span", chunk + "/layer/linear", 1): [41],
            ("nvtx_kernel", chunk + "/layer/linear", 1, gemm): [41],
            ("nvtx_range", "decode_step", 0): [16, 19],
            ("nvtx_span", "decode_step", 0): [21, 20],
            ("nvtx_kernel", "decode_step", 0, gemv): [7, 8, 9, 10],
            ("nvtx_kernel", "decode_step", 0, norm): [1],
            ("nvtx_kernel", "(no range)", 0, argmax): [3]})

    def test_table(self):
        out, err = ember("import", sample().write(self.file("t.sqlite")))
        self.assertEqual(err, "")
        lines = [line.split() for line in out.splitlines()]
        self.assertIn("device 0: NVIDIA L4, kernels 103.0 us", out)  # through TARGET_INFO_CUDA_DEVICE
        self.assertIn("device 1: NVIDIA H100 80GB HBM3, kernels 41.00 us", out)
        self.assertIn("decode_step 2 5 35.00 us 34.0 % 17.50 us 16.00 us 19.00 us 85.4 %".split(),
                      lines)
        self.assertIn("layer 1 of 2 3 65.00 us 63.1 % 65.00 us 65.00 us 65.00 us 81.2 %".split(),
                      lines)
        self.assertIn("(no range) 1 3.000 us 2.9 %".split(), lines)
        self.assertIn("decode_step ember::gemv<float> 4 34.00 us 33.0 % 8.500 us 7.000 us 10.00 us"
                      .split(), lines)
        self.assertIn("no kernels in: load (1)", out)

    def test_report_is_marked_as_profiled(self):
        path = sample().write(self.file("p.sqlite"))
        out, err = ember("import", path, "-o", "-")
        report = json.loads(out)
        self.assertIn("decode_step", err)
        self.assertTrue(report["env"]["profiler_attached"])
        self.assertEqual([(g["index"], g["name"], g["cc"]) for g in report["env"]["gpus"]],
                         [(0, "NVIDIA L4", "9.1"), (1, "NVIDIA H100 80GB HBM3", "9.0")])
        self.assertEqual(report["run"]["started"], "2026-01-01T00:00:00Z")
        self.assertFalse(any(c["gate"] for c in report["cases"]))
        self.assertEqual(json.loads(ember("import", path, "-o", "-")[0])["run"]["id"],
                         report["run"]["id"])
        written = self.file("p.json")
        ember("import", path, "-o", written)
        out, _ = ember("show", written)
        self.assertIn("phase/nvtx_range/device=0/range=decode_step", out)
        self.assertIn("profiler", out)
        ember("html", written, "-o", self.file("p.html"))
        out, _ = ember("compare", written, written, code=3)
        self.assertIn("a profiler was attached", out)

    def test_payload_tells_ranges_apart(self):
        values, _ = self.cases(sample(), "--payload", "linear")
        path = "prefill_chunk/layer/linear"
        self.assertEqual(values[("nvtx_range", path + "[4096]", 0)], [40])
        self.assertEqual(values[("nvtx_range", path + "[1024]", 0)], [20])
        self.assertEqual(values[("nvtx_range", path + "[4096]", 1)], [41])
        _, err = self.cases(sample(), "--payload", "linaer")
        self.assertIn("--payload linaer: no range has this name", err)

    def test_domains(self):
        values, _ = self.cases(sample(), "--domain", "NCCL")
        self.assertEqual(values[("nvtx_range", "ncclAllReduce", 0)], [16])
        self.assertNotIn(("nvtx_range", "decode_step", 0), values)
        err = self.refused(sample(), "'nccl'", "'NCCL' (1)", "'ember' (9)", flags=("--domain", "nccl"))
        self.assertIn("--domain takes another", err)
        self.refused(sample(), "domain ''", flags=("--domain", ""))
        unnamed = sample()
        unnamed.tables["NVTX_EVENTS"] = [r for r in unnamed.tables["NVTX_EVENTS"]
                                         if r.get("text") != "ember"]
        values, err = self.cases(unnamed)
        self.assertEqual(values[("nvtx_range", "decode_step", 0)], [16, 19])
        self.assertIn("no range is in a domain named 'ember'", err)
        nccl = sample()
        nccl.tables["NVTX_EVENTS"] = [r for r in nccl.tables["NVTX_EVENTS"] if r["domainId"] == 1]
        self.refused(nccl, "no ranges in the NVTX domain 'ember'", "'NCCL' (1)")

    def test_processes_are_apart(self):
        e, other = Export(), (1 << 48) | (4243 << 24)
        e.domain()
        e.domain("something else", 3, other | 5)  # a domain's number is its process's
        e.range("step", 10, 20)
        e.range("step", 10, 20, tid=other | 5)
        e.launch(12, "k", 100, 4)
        e.correlation = 0
        e.call(12, tid=other | 5)
        e.kernel("k", 200, 8, pid=other)
        values, _ = self.cases(e)
        self.assertEqual(values[("nvtx_range", "step", 0)], [4])
        self.assertEqual(values[("nvtx_kernel", "(no range)", 0, "ember::k<float>")], [8])

    def test_older_exports(self):
        """Text inline, 0 in place of NULL, no process beside a kernel, no demangled name."""
        e = Export()
        e.columns["NVTX_EVENTS"] = """start INT NOT NULL, end INT NOT NULL, eventType INT NOT NULL,
          text TEXT NOT NULL, globalTid INT NOT NULL, textId INT NOT NULL, domainId INT NOT NULL,
          uint64Value INT NOT NULL, int64Value INT NOT NULL"""
        e.columns["CUPTI_ACTIVITY_KIND_KERNEL"] = """start INT NOT NULL, end INT NOT NULL,
          deviceId INT NOT NULL, correlationId INT NOT NULL, shortName INT NOT NULL"""
        rows = [(0, 0, 75, "ember", 0), (10, 20, 59, "decode_step", 7), (30, 0, 59, "decode_step", 8)]
        for start, end, kind, text, payload in rows:
            e.add("NVTX_EVENTS", start=start * US, end=end * US, eventType=kind, text=text,
                  globalTid=TID, textId=0, domainId=2, uint64Value=0, int64Value=payload)
        for at, start, length in ((12, 100, 5), (35, 200, 6)):
            e.call(at)
            e.add("CUPTI_ACTIVITY_KIND_KERNEL", start=start * US, end=(start + length) * US,
                  deviceId=0, correlationId=e.correlation, shortName=e.string("gemv_kernel"))
        values, err = self.cases(e, "--payload", "decode_step")
        self.assertEqual(values[("nvtx_range", "decode_step[7]", 0)], [5])
        self.assertEqual(values[("nvtx_range", "decode_step[8]", 0)], [6])
        self.assertEqual(values[("nvtx_kernel", "decode_step[7]", 0, "gemv_kernel")], [5])
        self.assertIn("1 ranges had not ended", err)

    def test_graphs_that_were_recorded_whole(self):
        e = Export()
        e.domain()
        e.range("decode_step", 10, 20)
        e.call(12, name="cudaGraphLaunch_v10000")
        e.add("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", start=100 * US, end=150 * US, deviceId=0, graphId=1,
              correlationId=e.correlation, globalPid=PID)
        values, err = self.cases(e)
        self.assertEqual(values[("nvtx_range", "decode_step", 0)], [50])
        self.assertEqual(values[("nvtx_kernel", "decode_step", 0, "(CUDA graph)")], [50])
        self.assertIn("--cuda-graph-trace node", err)

    def test_launches_and_times_that_are_missing(self):
        e = sample()
        e.kernel("late", 6000, 2)["correlationId"] = 999
        e.kernel("late", 6010, 2)["correlationId"] = None
        e.kernel("never", 0, 0)
        values, err = self.cases(e)
        self.assertEqual(values[("nvtx_kernel", "(no range)", 0, "ember::late<float>")], [2, 2])
        self.assertIn("2 of 12 kernels: their launch was not recorded", err)
        self.assertIn("1 kernels have no time and are left out", err)

    def test_exports_that_lack_a_part(self):
        for table, says in (("NVTX_EVENTS", "no NVTX ranges were recorded"),
                            ("CUPTI_ACTIVITY_KIND_KERNEL", "no CUDA kernels were recorded"),
                            ("CUPTI_ACTIVITY_KIND_RUNTIME", "no CUDA calls were recorded")):
            e = sample()
            del e.tables[table]
            self.refused(e, says, "--trace cuda,nvtx")
        e = sample()
        del e.tables["StringIds"]
        self.refused(e, "no table StringIds")
        e = sample()
        e.columns["CUPTI_ACTIVITY_KIND_RUNTIME"] = "start INTEGER, globalTid INTEGER"
        e.tables["CUPTI_ACTIVITY_KIND_RUNTIME"] = [{"start": 1, "globalTid": 2}]
        self.refused(e, "CUPTI_ACTIVITY_KIND_RUNTIME has no column correlationId")
        e = sample()
        e.tables["CUPTI_ACTIVITY_KIND_KERNEL"] = [
            dict(k, start=0, end=0) for k in e.tables["CUPTI_ACTIVITY_KIND_KERNEL"]]
        self.refused(e, "no CUDA kernels were recorded")

    def test_values_that_cannot_be(self):
        def bad(table, column, value, *parts):
            e = Export(loose=True)
            for t, rows in sample().tables.items():
                e.tables[t] = [dict(r) for r in rows]
            rows = [r for r in e.tables[table] if r.get("eventType", 59) == 59]
            rows[1][column] = value
            self.refused(e, table + "." + column + ", row ", *parts)

        nvtx, kernel = "NVTX_EVENTS", "CUPTI_ACTIVITY_KIND_KERNEL"
        runtime = "CUPTI_ACTIVITY_KIND_RUNTIME"
        bad(nvtx, "start", "soon", "expected an integer, found text")
        bad(nvtx, "start", None, "found NULL")
        bad(nvtx, "end", 1, "ends at 1, before its start at 100000")
        bad(nvtx, "end", b"\0", "found a blob")
        bad(nvtx, "globalTid", None, "found NULL")
        bad(nvtx, "textId", 12345, "no string 12345 in StringIds")
        bad(nvtx, "text", 2.5, "found a real number")
        bad(nvtx, "eventType", "push", "found text")
        bad(kernel, "start", 1 << 62, "expected within 2^53 of 0")
        bad(kernel, "start", -(1 << 63), "expected within 2^53 of 0")
        bad(kernel, "end", 17, "before its start")
        bad(kernel, "deviceId", -1, "no device has number -1")
        bad(kernel, "deviceId", 1 << 40, "no device has number")
        bad(kernel, "correlationId", 1.5, "found a real number")
        bad(kernel, "demangledName", 12345, "no string 12345")
        bad(runtime, "start", float("inf"), "found a real number")
        bad(runtime, "globalTid", None, "found NULL")
        bad("StringIds", "value", b"\xff", "expected text, found a blob")
        many = sample()
        for i in range(65):
            many.kernel("k", 7000 + i, 1, device=i)
        self.refused(many, "more than 64 devices")
        deep = sample()
        for i in range(70):
            deep.range("r", 600 + i, 900 - i)
        self.refused(deep, "nest deeper than 64")

    def test_names_that_attack(self):
        e = Export()
        evil = "</script><script>alert(1)</script>\x1b[2J\n\x00" + "x" * 3000
        e.domain()
        e.range(evil, 10, 20)
        e.range("a" * 10000, 12, 18)
        e.launch(13, "k\x1b]0;" + "y" * 5000, 100, 1)
        path = e.write(self.file("evil.sqlite"))
        out, err = ember("import", path, "-o", self.file("evil.json"))
        self.assertFalse(set("\x1b\x00") & set(out + err))
        ember("validate", self.file("evil.json"))
        ember("show", self.file("evil.json"))
        ember("html", self.file("evil.json"), "-o", self.file("evil.html"))
        with open(self.file("evil.html")) as f:
            self.assertNotIn("<script>alert", f.read())

    def test_schemas_that_attack(self):
        """Views that never end, virtual and generated tables are no tables."""
        def made(name, kernels):
            e = sample()
            del e.tables["CUPTI_ACTIVITY_KIND_KERNEL"]
            path = e.write(self.file(name))
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                try:
                    db.execute(kernels)
                except sqlite3.OperationalError as missing:  # a module that is not built in
                    print("left out:", missing)
                    return
            self.refused(path, "no CUDA kernels were recorded")

        made("view.sqlite", """CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS
             WITH RECURSIVE n(start) AS (SELECT 1 UNION ALL SELECT start + 1 FROM n)
             SELECT start, start AS end, 0 AS deviceId FROM n""")
        made("virtual.sqlite", "CREATE VIRTUAL TABLE CUPTI_ACTIVITY_KIND_KERNEL USING "
             "fts5(start, end, deviceId)")
        for size, says in ((10, "no column correlationId"), (400000000, "too big")):
            e = sample()
            e.columns["CUPTI_ACTIVITY_KIND_RUNTIME"] = """start INTEGER, globalTid INTEGER,
              correlationId INTEGER GENERATED ALWAYS AS (length(hex(zeroblob(%d))))""" % size
            e.tables["CUPTI_ACTIVITY_KIND_RUNTIME"] = [{"start": 1, "globalTid": TID}]
            self.refused(e, says)

    def test_files_that_are_no_export(self):
        with open(self.file("text.sqlite"), "w") as f:
            f.write("SQLite" * 1000)
        self.refused(self.file("text.sqlite"), "no SQLite database", "nsys export --type sqlite")
        open(self.file("empty.sqlite"), "w").close()
        self.refused(self.file("empty.sqlite"), "no SQLite database")
        self.refused(self.file("absent.sqlite"), "absent.sqlite")
        self.refused(self.folder.name)
        os.mkfifo(self.file("pipe"))
        self.refused(self.file("pipe"))
        e = Export()
        e.add("songs", title="x")
        self.refused(e, "no table StringIds", "something else")
        self.refused(":memory:")
        ember("import", code=2)
        with open(self.file("head.sqlite"), "wb") as f:
            f.write(b"SQLite format 3\0")
        self.refused(self.file("head.sqlite"), "SQLite cannot read it")

    def test_a_length_that_wraps_around_is_damage(self):
        # SQLite calls it "out of memory", though no allocation failed.
        self.refused(os.path.join(CORPUS, "length_wraps"), "a damaged database", "export it again")

    def test_damaged_files_are_refused_or_read(self):
        e = sample()
        for i in range(2000):  # several pages a table
            e.range("layer", 700 + 2 * i, 701 + 2 * i)
            e.launch(700 + 2 * i, "k%d" % (i % 50), 9000 + 3 * i, 1)
        path = e.write(self.file("good.sqlite"))
        ember("import", path)
        with open(path, "rb") as f:
            good = f.read()
        bad, rng, codes = self.file("bad.sqlite"), random.Random(7), {0: 0, 4: 0}

        def check(data):
            with open(bad, "wb") as f:
                f.write(data)
            run = subprocess.run([EMBER, "report", "import", bad], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, timeout=120)
            self.assertIn(run.returncode, codes, run.stderr)
            if run.returncode == 4:
                self.assertIn(b"bad.sqlite", run.stderr)
            codes[run.returncode] += 1

        for size in [20, 100, 1000, 4096] + [len(good) * i // 10 for i in range(1, 10)]:
            check(good[:size])
        self.assertEqual(codes[0], 0)
        for _ in range(60):
            data = bytearray(good)
            for _ in range(rng.choice((1, 5, 50))):
                data[rng.randrange(len(data))] = rng.randrange(256)
            check(data)
        for _ in range(20):  # a page in place of another
            data, pages = bytearray(good), len(good) // 4096
            a, b = rng.randrange(pages) * 4096, rng.randrange(pages) * 4096
            data[a:a + 4096] = good[b:b + 4096]
            check(data)
        print("%d damaged files read, %d refused" % (codes[0], codes[4]))
        self.assertGreater(codes[4], 13)


class Without(unittest.TestCase):
    def test_says_what_is_missing(self):
        _, err = ember("import", "any.sqlite", code=2)
        self.assertIn("built without SQLite", err)
        self.assertIn("libsqlite3-dev", err)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"], defaultTest="Import" if WITH_SQLITE else "Without")
