"""The maker of the method table: does what is missing only, and says what it needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "reproduction"
sys.path.insert(0, str(FOLDER))

import method_table  # noqa: E402
from steps import Steps  # noqa: E402

from wsstool.registry import REFINERS  # noqa: E402


def run(*words, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WSSTOOL_")}
    clean |= {"PYTHONPATH": str(FOLDER.parent), **environment}
    command = [sys.executable, FOLDER / "method_table.py", *map(str, words)]
    return subprocess.run(command, env=clean, capture_output=True, text=True)


def test_says_which_data_it_needs(tmp_path):
    done = run("--work", tmp_path / "w")
    assert done.returncode == 1 and "WSSTOOL_TEST_DATA names no folder" in done.stderr
    done = run("--work", tmp_path / "w", WSSTOOL_TEST_DATA=str(tmp_path))
    assert done.returncode == 1 and "data/msrc21" in done.stderr and "Traceback" not in done.stderr


def test_a_step_runs_once_and_again_when_it_or_its_input_changes(tmp_path, capsys):
    steps = Steps(tmp_path)

    def ran(method, name, *words):
        method(name, *words)
        return name in capsys.readouterr().err

    sample = ("data", "sample", "--size", "32", "--quiet", "--count")
    info = ("info.json", "info", tmp_path / "data", "--json")
    assert ran(steps.make, *sample, "4") and not ran(steps.make, *sample, "4")
    assert ran(steps.result, *info) and not ran(steps.result, *info)
    assert steps.result(*info) == json.loads((tmp_path / "info.json").read_text())
    assert ran(steps.make, *sample, "5") and ran(steps.result, *info)
    assert steps.record("data")["seconds"] > 0


def test_a_failed_step_leaves_its_message_and_no_record(tmp_path):
    with pytest.raises(SystemExit, match="exit code 66"):
        Steps(tmp_path).make("cams.h5", "cam", tmp_path / "nowhere", "--weights", tmp_path / "no.pth")
    assert not list((tmp_path / "records").iterdir())


def test_every_refiner_is_in_the_table():
    rows = (*method_table.REFINERS.values(), *method_table.GUIDED.values())
    named = {own[own.index("--refine") + 1] for own in rows if own}
    assert named == set(REFINERS.names()) - {"sam"}  # needs weights that are not at hand


def test_tables_replace_what_stands_between_their_comments(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- seeds -->\nold\n<!-- seeds -->\nb\n")
    method_table.write(page, {"seeds": "| new |"})
    assert page.read_text() == "a\n<!-- seeds -->\n| new |\n<!-- seeds -->\nb\n"
    with pytest.raises(SystemExit, match="two comments"):
        method_table.write(page, {"objects": "| new |"})
