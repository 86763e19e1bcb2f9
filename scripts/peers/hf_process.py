# SPDX-License-Identifier: Apache-2.0
"""transformers as a peer: hf_worker.py under a Python that has it, kept for the whole run."""
import collections
import json
import pathlib
import queue
import subprocess
import sys
import threading

from peers.engine import Engine, EngineFailed, Turn, visible
from peers.host import prompt_ids

WORKER = pathlib.Path(__file__).resolve().parent / "hf_worker.py"


class HfProcess:
    """The worker, with one model for all its forms. Its weights stay on the device until close()."""

    def __init__(self, python, shape, dtype, device, threads, timeout):
        self.vocab, self.timeout = shape["vocab"], timeout
        self.errors = collections.deque(maxlen=3)
        self.answers = queue.Queue()
        try:
            self.child = subprocess.Popen([python, str(WORKER)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                          env=visible(device))
        except OSError as e:
            raise EngineFailed("%s: %s" % (python, e.strerror))
        threading.Thread(target=self._read_answers, daemon=True).start()
        self.error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self.error_reader.start()
        try:
            hello = self.ask({"shape": shape, "dtype": dtype, "threads": threads,
                              "device": "cpu" if device == "cpu" else "cuda:0"})
        except EngineFailed:
            self.close()
            raise
        self.version, self.dtype = hello["version"], hello["dtype"]

    def _read_answers(self):
        for line in self.child.stdout:
            self.answers.put(line)
        self.answers.put("")

    def _read_errors(self):
        for line in self.child.stderr:
            if line.strip():
                self.errors.append(line.strip())
                print("  transformers: " + line.rstrip(), file=sys.stderr)

    def ask(self, question):
        try:
            self.child.stdin.write(json.dumps(question) + "\n")
            self.child.stdin.flush()
            line = self.answers.get(timeout=self.timeout)
            if not line:
                raise self._ended()
            answer = json.loads(line)
        except queue.Empty:
            self.close()
            raise EngineFailed("not done after %g s" % self.timeout)
        except OSError:
            raise self._ended()
        except ValueError as e:
            raise EngineFailed("%s: %s" % (e, " / ".join(self.errors)))
        if "error" in answer:
            raise EngineFailed(answer["error"])
        return answer

    def _ended(self):
        """The worker's last words. A process closes its output a moment before it stops reading its input, so
        a later question may still be taken: it finds the end of the answers as this one did."""
        self.answers.put("")
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.close()
        self.error_reader.join(timeout=10)
        return EngineFailed("ended: " + " / ".join(self.errors))

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()


class HuggingFacePeer(Engine):
    def __init__(self, process, form):
        super().__init__()
        self.process, self.form = process, form
        self.name = "transformers %s, %s" % (form, process.dtype)
        self.version = process.version

    def turn(self, prompt, tokens, repetitions):
        times = self.process.ask({"form": self.form, "ids": prompt_ids(prompt, self.process.vocab),
                                  "tokens": tokens, "repetitions": repetitions})
        return Turn(times["prefill"], times["decode"])

    def close(self):
        self.process.close()
