"""eval, export and report as processes: exit codes, what goes to stdout, signatures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.chain import write_data, write_masks
from wsstool.cli.pipeline import eval as eval_command
from wsstool.stages.scoring.evaluate import evaluate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def masks(tmp_path):
    return write_masks(tmp_path / "masks.h5", write_data(tmp_path / "data"))


def wsstool(*words, stdin=None, folder=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wsstool", *map(str, words)]
    return subprocess.run(command, capture_output=True, input=stdin, env=environment, cwd=folder)


def test_eval_of_a_pipe_prints_json(masks):
    run = wsstool("eval", "--bootstrap", "0", stdin=masks.read_bytes())
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["images"] == 6 and "interval" not in found["rows"][0]


def test_below_the_threshold_is_exit_4_and_still_prints(masks):
    run = wsstool("eval", masks, "--fail-under", "0.99")
    assert run.returncode == 4
    assert json.loads(run.stdout)["rows"]
    assert run.stderr.decode().startswith("wsstool eval: miou of argmax is")
    assert len(run.stderr.splitlines()) == 1


def test_a_quiet_eval_with_a_score_file_prints_nothing(masks, tmp_path):
    scores = tmp_path / "scores.json"
    run = wsstool("eval", masks, "-q", "-o", scores)
    assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"") and scores.is_file()
    below = wsstool("eval", masks, "-q", "-o", scores, "--fail-under", "0.99")
    assert (below.returncode, below.stdout) == (4, b"") and b"miou of argmax is" in below.stderr
    for words in (["-q"], ["-o", scores], ["-q", "-o", scores, "--json"]):
        assert json.loads(wsstool("eval", masks, *words).stdout)["images"] == 6


def test_damage_is_exit_65(masks):
    run = wsstool("eval", stdin=masks.read_bytes()[:-200])
    assert run.returncode == 65 and b"truncated" in run.stderr


def test_export_and_report_write_their_outputs(masks, tmp_path):
    run = wsstool("export", masks, "-o", tmp_path / "out")
    assert run.returncode == 0 and run.stdout == b"", run.stderr
    assert (tmp_path / "out" / "images" / "p0.png").is_file()
    run = wsstool("report", masks, "-o", tmp_path / "report.html", "--samples", 1)
    assert run.returncode == 0 and run.stdout == b"", run.stderr
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    again = wsstool("export", masks, "-o", tmp_path / "out")
    assert again.returncode == 0 and b"up to date" in again.stderr


def test_table_on_a_terminal(masks, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    eval_command._show(evaluate([masks]), eval_command.EvalCommand())
    text = capsys.readouterr().out
    for words in ("mIoU", "blind", "circle", "one confusion matrix", "assigned to all pixels"):
        assert words in text
