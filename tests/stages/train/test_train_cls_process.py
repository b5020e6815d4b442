"""train-cls as a process: killed without warning it goes on; wrong input ends with its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsstool.models.weights import load_weights

OPTIONS = ["--arch", "tiny", "--image-size", "48", "--epochs", "6", "--batch-size", "4", "--seed", "3"]
OPTIONS += ["--workers", "0", "--device", "cpu"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, channel in (("red", 0), ("blue", 2)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(16):
            image = rng.integers(0, 80, (48, 48, 3))
            image[..., channel] += 120
            Image.fromarray(image.astype(np.uint8)).save(tmp_path / "data" / name / f"{name}{i}.png")
    return tmp_path / "data"


def start(data: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "wsstool", "train-cls", str(data), "-o", str(output), *OPTIONS, *more]
    root = Path(__file__).parents[3]
    return subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_run_ends_with_the_same_bytes(data: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.pth", tmp_path / "killed.pth"
    assert start(data, whole).wait() == 0
    process = start(data, killed)
    deadline = time.monotonic() + 120
    while not killed.with_name("killed.pth.part").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    again = start(data, killed)
    _, said = again.communicate()
    assert again.returncode == 0 and "resuming at epoch" in said
    ours, theirs = load_weights(killed), load_weights(whole)
    assert all((ours.state_dict[k] == v).all() for k, v in theirs.state_dict.items())
    assert ours.meta == theirs.meta


@pytest.mark.slow
def test_exit_codes(data: Path, tmp_path: Path) -> None:
    def ends(*arguments: str) -> tuple[int, str]:
        process = start(*map(Path, arguments[:2]), *arguments[2:])
        _, said = process.communicate()
        return process.returncode, said

    output = str(tmp_path / "cls.pth")
    assert ends(str(tmp_path / "nowhere"), output)[0] == 66
    assert ends(str(data), str(tmp_path / "no" / "cls.pth"))[0] == 74
    assert ends(str(data), output, "--init", str(tmp_path / "none.pth"))[0] == 66
    code, said = ends(str(data), output, "--lr", "1e30", "--optimizer", "sgd")
    assert code == 1 and "is probably too high" in said
