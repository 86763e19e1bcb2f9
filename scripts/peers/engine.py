# SPDX-License-Identifier: Apache-2.0
"""What every measured engine gives, and how a command of one is run."""
import collections
import os
import subprocess

# One turn of an engine: seconds of every prompt, and seconds of a token of every decode.
Turn = collections.namedtuple("Turn", "prefill decode")


class EngineFailed(Exception):
    """An engine could not be measured; code is its exit code, where it had one."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


class Engine:
    """`name` in the table, `version` and `notes` once it has run; close() ends what it started."""

    name = ""
    version = ""

    def __init__(self):
        self.notes = []

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def turn(self, prompt, tokens, repetitions):
        """A Turn: prompts of `prompt` tokens, then `tokens` decoded after each. Raises EngineFailed."""
        raise NotImplementedError

    def close(self):
        pass


def visible(device):
    """The environment in which CUDA device number `device` is the only one; the CPU alone for cpu."""
    if device == "cpu":
        return dict(os.environ, CUDA_VISIBLE_DEVICES="")
    given = [d for d in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d]
    number = int(device)
    return dict(os.environ, CUDA_VISIBLE_DEVICES=given[number] if number < len(given) else device)


def run(command, timeout, environment=None):
    """stdout of a command that must end with 0."""
    text = " ".join(map(str, command))
    try:
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout, env=environment)
    except subprocess.TimeoutExpired:
        raise EngineFailed("not done after %g s: %s" % (timeout, text))
    except OSError as e:
        raise EngineFailed("%s: %s" % (command[0], e.strerror))
    if done.returncode != 0:
        tail = (done.stderr.strip() or done.stdout.strip()).split("\n")[-3:]
        raise EngineFailed("exit code %d: %s: %s" % (done.returncode, text, " / ".join(tail)),
                           done.returncode)
    return done.stdout
