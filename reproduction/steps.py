"""Runs ``wsstool`` step by step, does what is missing only, and remembers what each step cost."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Steps:
    """The outputs of commands in one folder, each beside a record of how it was made.

    A step is done when its record holds the same command and the same inputs, made by the same runs.
    ``wsstool`` would find most of that out for itself; the record saves starting it, and keeps the time.

    Args:
        folder: for outputs and records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "records").mkdir(parents=True, exist_ok=True)

    def make(self, name: str, *words: str | Path, output: Sequence[str] = ("-o",)) -> Path:
        """The file or folder ``name``, written by ``wsstool words... -o name``.

        Args:
            name: of the output.
            words: a command and its arguments; outputs of steps before are its inputs.
            output: the option that takes the output; empty: standard output is kept in it.

        Raises:
            SystemExit: the command failed; the message is its own.
        """
        path, log = self.folder / name, self.folder / "records" / f"{name}.json"
        argv = [str(word) for word in words]
        inputs = {
            Path(a).name: self.record(Path(a).name)["made"] for a in map(_value, argv) if self._is_mine(a)
        }
        wanted = {"argv": argv, "inputs": inputs}
        if path.exists() and log.exists():
            found = json.loads(log.read_text())
            if {k: found[k] for k in wanted} == wanted:
                return path
        if path.is_dir():
            shutil.rmtree(path)
        elif log.exists():  # made by another command: finished weights are not replaced unasked
            path.unlink(missing_ok=True)
        print(f"{name}: wsstool {' '.join(argv)}", file=sys.stderr, flush=True)
        before = _processor_seconds()
        command = [sys.executable, "-m", "wsstool", *argv, *([*output, str(path)] if output else [])]
        with open(path, "wb") if not output else open(os.devnull, "wb") as kept:
            done = subprocess.run(command, stdout=kept, stderr=subprocess.PIPE, text=False)
        if done.returncode:
            if not output:
                path.unlink()
            sys.exit(f"{name}: exit code {done.returncode}\n{done.stderr.decode().strip()}")
        seconds = _processor_seconds() - before
        log.write_text(
            json.dumps({**wanted, "made": os.urandom(8).hex(), "seconds": round(seconds, 2)}, indent=1)
        )
        return path

    def result(self, name: str, *words: str | Path) -> dict[str, Any]:
        """The JSON object that a command prints."""
        return json.loads(self.make(name, *words, output=()).read_text())

    def record(self, name: str) -> dict[str, Any]:
        """How ``name`` was made: ``argv``, ``inputs``, ``made`` (by which run), processor ``seconds``."""
        return json.loads((self.folder / "records" / f"{name}.json").read_text())

    def _is_mine(self, word: str) -> bool:
        path = Path(word)
        return path.parent == self.folder and (self.folder / "records" / f"{path.name}.json").exists()


def _value(word: str) -> str:
    """The file of ``NAME=FILE``."""
    return word.rpartition("=")[2]


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
