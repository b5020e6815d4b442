"""Output that nobody can get is an error: a closed, full or read-only standard output, and a closed pipe."""

import os
import subprocess
import sys

import pytest

PROGRAM = f"{sys.executable} -m wsstool"


def run(line: str, folder) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "command", ["--version", "--help", "cam --help", "recipe demo", "cam d --weights w --show-config"]
)
@pytest.mark.parametrize(
    ("stdout", "reason"),
    [
        (">&-", "standard output is closed"),
        ("1< /dev/null", "standard output is closed"),
        ("> /dev/full", "No space left on device"),
    ],
)
def test_lost_output(tmp_path, command, stdout, reason):
    if "full" in stdout and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    code, text = run(f"{PROGRAM} {command} {stdout}", tmp_path)
    assert code == 74
    assert (
        text.startswith("wsstool") and text.endswith(f": cannot write: {reason}\n") and text.count("\n") == 1
    )


@pytest.mark.parametrize("command", ["--version", "--help", "recipe demo"])
def test_a_reader_that_goes_away(tmp_path, command):
    assert run(f"{{ sleep .1; exec {PROGRAM} {command}; }} | exec true", tmp_path) == (141, "")


def test_results_of_stages(tmp_path):
    assert run(f"{PROGRAM} sample --count 2 --size 32 -o s -q", tmp_path)[0] == 0
    for command in ("eval s/masks --truth s", "eval s/masks --truth s --json", "info s"):
        code, text = run(f"{PROGRAM} {command} -q >&-", tmp_path)
        last = text.splitlines()[-1]
        assert (code, last) == (74, f"wsstool {command[:4]}: cannot write: standard output is closed")


def test_a_score_file_needs_no_standard_output(tmp_path):
    assert run(f"{PROGRAM} sample --count 2 --size 32 -o s -q", tmp_path)[0] == 0
    code, text = run(f"{PROGRAM} eval s/masks --truth s -o scores.h5 -q >&-", tmp_path)
    assert code == 0 and "closed" not in text
    assert (tmp_path / "scores.h5").exists()
