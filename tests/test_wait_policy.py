"""Threads wait passively, in every process, unless the user chose otherwise or torch came first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wsstool.wait_policy import CHOICES

ROOT = Path(__file__).resolve().parents[1]
REPORT = "import os; print(os.environ.get('OMP_WAIT_POLICY'))"


def run(*words, **settings):
    """Standard output of a fresh interpreter in which nobody chose how threads wait, but for ``settings``."""
    environment = {k: v for k, v in os.environ.items() if k not in CHOICES} | settings
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("door", ["import wsstool", "import wsstool.cli.app", "import wsstool.nms"])
def test_every_door_sets_it(door):
    assert run("-c", f"{door}; {REPORT}") == "PASSIVE\n"


def test_it_is_set_before_torch_is_imported():
    watch = """
import sys, os, importlib.abc
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
import wsstool.runtime
"""
    assert run("-c", watch) == "PASSIVE\n"


def test_child_processes_inherit_it():
    child = f"import wsstool, subprocess, sys; subprocess.run([sys.executable, '-c', {REPORT!r}], check=True)"
    assert run("-c", child) == "PASSIVE\n"


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_of_the_user_stays(name):
    value = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "5"}[name]
    code = f"import wsstool, os; print(*[(n, os.environ[n]) for n in {CHOICES} if n in os.environ])"
    assert run("-c", code, **{name: value}) == f"{(name, value)}\n"


REPORTED = "from wsstool.stages.program.doctor import _waiting; print(*_waiting())"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "threads wait passively: OMP_WAIT_POLICY=PASSIVE, set by wsstool"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "OMP_WAIT_POLICY=ACTIVE, from the environment"),
        ({"GOMP_SPINCOUNT": "7"}, "GOMP_SPINCOUNT=7, from the environment"),
    ],
)
def test_doctor_reports_who_set_it(settings, text):
    assert run("-c", REPORTED, **settings) == f"ok {text}\n"


def test_doctor_reports_that_torch_came_first():
    found = run("-c", f"import torch; {REPORTED}")
    assert found.startswith("warn torch was imported before wsstool")
    assert "OMP_WAIT_POLICY=PASSIVE" in found  # what to do


@pytest.mark.slow
def test_doctor_has_that_line():
    assert "ok    waiting: " in run("-m", "wsstool", "doctor")
