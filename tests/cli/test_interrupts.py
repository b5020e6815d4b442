"""An interruption that comes where Python ignores exceptions still ends the command."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, time, weakref
from wsstool.cli.interrupts import repeat_ignored
from wsstool.cli.run import _exit_codes

class Thing:
    pass

def interrupted(*_):
    signal.raise_signal(signal.SIGINT)

class Finalised:
    def __del__(self):
        interrupted()

repeat_ignored()
repeat_ignored()
with _exit_codes("test"):
    {swallow}
    time.sleep(20)
"""
SWALLOW = {
    "weak reference": "thing = Thing(); reference = weakref.ref(thing, interrupted); del thing",
    "finaliser": "Finalised()",
    "none": "interrupted()",
}


@pytest.mark.parametrize("where", SWALLOW)
def test_interrupted_where_exceptions_are_ignored(where: str) -> None:
    program = PROGRAM.format(swallow=SWALLOW[where])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=15)
    assert done.returncode == 130
    assert done.stderr == "wsstool test: interrupted; finished work is kept, the same command resumes\n"


def test_other_exceptions_are_printed_as_before() -> None:
    program = PROGRAM.format(swallow="Broken()").replace("signal.raise_signal(signal.SIGINT)", "1 / 0")
    program = program.replace("Broken", "Finalised").replace("time.sleep(20)", "pass")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "ZeroDivisionError" in done.stderr
