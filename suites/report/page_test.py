#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of ember report html in a headless browser: no errors, no requests, nothing injected runs,
nothing is wider than the window.

    page_test.py EMBER SAMPLES [FOLDER]     FOLDER keeps the screenshots

Needs Python 3.8 and Chromium or Chrome. Exit code 77 without a browser.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BROWSER = next((b for b in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if b), None)
if BROWSER is None:
    print("skipped: no Chromium")
    sys.exit(77)

EMBER, SAMPLES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
KEEP = sys.argv[3] if len(sys.argv) > 3 else None
EVIL = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">" \
       "'\" onmouseover=document.title='broken' "
# A frame of a given width around the page: headless windows are 500 pixels wide at the least.
FRAME = """<!doctype html><title>frame</title><style>body{margin:0}iframe{border:0;width:%dpx;height:%dpx}</style>
<iframe src="%s"></iframe>"""
# Asked of the page itself, which carries no such code: what it says goes into the title.
PROBE = """<script nonce="ember">addEventListener("load", () => {
  const page = document.documentElement;
  const limit = parseFloat(page.style.width) || page.clientWidth;
  const wide = [...document.querySelectorAll("body > *, h2, h3, p, .tiles, .scroll")]
    .filter(e => e.getBoundingClientRect().right > limit + 1).map(e => e.tagName + "." + e.className);
  document.getElementById("theme").click();
  const filter = document.querySelector("input[data-table]");
  filter.value = "no such case"; filter.dispatchEvent(new Event("input"));
  const hidden = [...document.querySelectorAll("#kernels tbody tr")].every(r => r.hidden);
  filter.value = ""; filter.dispatchEvent(new Event("input"));
  const head = document.querySelector("#kernels th:nth-child(2)"); head.click();
  const medians = [...document.querySelectorAll("#kernels tbody tr")].map(r => Number(r.cells[1].dataset.v));
  document.body.dataset.probe = JSON.stringify({title: document.title, scroll: page.scrollWidth, client: page.clientWidth, wide,
    theme: page.dataset.theme, hidden, sorted: medians.every((v, i) => i === 0 || medians[i - 1] <= v),
    scripts: document.scripts.length, images: document.images.length, rows: document.querySelectorAll("tbody tr").length,
    requests: performance.getEntriesByType("resource").length,
    cases: JSON.parse(document.getElementById("report").textContent).cases.length});
});</script>"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([SAMPLES, cls.folder.name], check=True)
        with open(cls.file("sample.json")) as f:
            cls.report = json.load(f)
        for i in range(4):
            cls.report["run"]["id"] = "run %d" % i
            cls.write("again.txt", json.dumps(cls.report))
            cls.ember("history", cls.file("history.jsonl"), "--add", cls.file("again.txt"))
        evil = json.loads(json.dumps(cls.report))
        for i, case in enumerate(evil["cases"]):
            case["id"] = "%d%s" % (i, EVIL)
            case["reason"] = case["reason"] and EVIL
        evil["subject"]["commit"] = evil["run"]["id"] = evil["env"]["gpus"][0]["name"] = EVIL
        cls.write("evil.txt", json.dumps(evil))
        cls.ember("html", cls.file("sample.json"), "--base", cls.file("sample.json"), "--history",
                  cls.file("history.jsonl"), "-o", cls.file("sample.html"))
        cls.ember("html", cls.file("slow.json"), "--base", cls.file("a.json"), "-o",
                  cls.file("slow.html"))
        cls.ember("html", cls.file("evil.txt"), "--base", cls.file("evil.txt"), "-o",
                  cls.file("evil.html"))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def file(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def write(cls, name, text):
        with open(cls.file(name), "w") as f:
            f.write(text)

    @staticmethod
    def ember(*args):
        subprocess.run([EMBER, "report", *args], check=True, stdout=subprocess.DEVNULL)

    def browse(self, page, *flags):
        run = subprocess.run(
            [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", "--user-data-dir=" + self.file("profile"), "--enable-logging=stderr",
             *flags, "file://" + self.file(page)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        console = [line for line in run.stderr.decode("utf-8", "replace").splitlines()
                   if "CONSOLE" in line]
        return run.stdout.decode("utf-8", "replace"), console

    def probe(self, page, width):
        """What the page says of itself in a window of this width."""
        with open(self.file(page)) as f:
            self.write("probe.html", f.read().replace("</body>", PROBE + "</body>"))
        # Windows are 500 pixels wide at the least: the root element is what is narrow.
        with open(self.file("probe.html")) as f:
            text = f.read()
        self.write("narrow.html", text.replace("<html lang", "<html style=\"width:%dpx\" lang" % width))
        dom, console = self.browse("narrow.html", "--dump-dom", "--window-size=%d,900" % max(width, 500))
        found = re.search(r'data-probe="([^"]*)"', dom)
        self.assertTrue(found, dom[:500])
        return json.loads(found.group(1).replace("&quot;", '"').replace("&lt;", "<")
                          .replace("&gt;", ">").replace("&amp;", "&")), console

    def test_the_page_is_sound(self):
        for page in ("sample.html", "slow.html", "evil.html"):
            said, console = self.probe(page, 1280)
            self.assertEqual(console, [], page)
            self.assertEqual(said["requests"], 0)
            self.assertEqual(said["images"], 0)
            self.assertEqual(said["scripts"], 3)  # two of the page, and the question
            self.assertNotEqual(said["title"], "broken")
            self.assertTrue(said["hidden"] and said["sorted"], said)
            self.assertIn(said["theme"], ("light", "dark"))
            self.assertLessEqual(said["scroll"], said["client"])
        self.assertEqual(said["cases"], len(self.report["cases"]))

    def test_narrow_windows_do_not_scroll_sideways(self):
        for page in ("sample.html", "evil.html"):
            said, _ = self.probe(page, 400)
            self.assertEqual([w for w in said["wide"]], [], page)

    def test_screenshots(self):
        for theme, number in (("light", 1), ("dark", 0)):
            for width, height in ((1280, 4300), (400, 5200)):
                name = "%s-%d.png" % (theme, width)
                page = "sample.html"
                if width < 500:
                    self.write("frame.html", FRAME % (width, height, "sample.html"))
                    page = "frame.html"
                self.browse(page, "--screenshot=" + self.file(name),
                            "--window-size=%d,%d" % (max(width, 500), height),
                            "--blink-settings=preferredColorScheme=%d" % number)
                self.assertGreater(os.path.getsize(self.file(name)), 20000)
                if KEEP:
                    shutil.copy(self.file(name), KEEP)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
