"""Runs of ``robustness``: resumed, in shards, with any number of workers, always the same numbers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import wsstool as ws
from tests.messages import Heard
from tests.stages.toy import interrupted, write_rectangles
from tests.store.records import read
from wsstool.cli.app import app
from wsstool.errors import BadInputError, SomeFailedError
from wsstool.models.classifier import build_classifier
from wsstool.models.weights import load_weights, save_weights
from wsstool.stages.robustness.robustness import robustness
from wsstool.stages.streams.merge import merge
from wsstool.store import Writer

pytestmark = pytest.mark.slow  # trainings and runs that are interrupted

RUN: dict[str, Any] = {
    "corruption": ["gaussian-noise", "elastic-transform", "fog"],
    "severity": [1, 4],
    "batch_size": 3,
    "device": "cpu",
}
NETWORKS = ["classifier", "tagger", "segmenter"]


@pytest.fixture
def weights(request: pytest.FixtureRequest, network: str) -> Path:
    return request.getfixturevalue(network)


def numbers(found: dict[str, Any]) -> dict[str, Any]:
    """The summary without what it was read from."""
    return {key: value for key, value in found.items() if key not in ("source", "notes")}


@pytest.mark.parametrize("network", NETWORKS)
class TestSameNumbers:
    def test_an_interrupted_run_goes_on_to_the_same_bytes(
        self, data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole, stopped, heard = tmp_path / "whole.h5", tmp_path / "stopped.h5", Heard()
        expected = robustness(data, weights=weights, output=whole, **RUN)
        with interrupted(monkeypatch, Writer, "write", 5):
            robustness(data, weights=weights, output=stopped, workers=0, **RUN)
        assert not stopped.exists()
        found = robustness(data, weights=weights, output=stopped, messages=heard, **RUN)
        assert "resuming at record 6 of 16" in heard.said
        assert stopped.read_bytes() == whole.read_bytes() and numbers(found) == numbers(expected)

    def test_shards_are_merged_to_the_same_numbers(self, data: Path, weights: Path, tmp_path: Path) -> None:
        whole = robustness(data, weights=weights, output=tmp_path / "whole.h5", **RUN)
        parts = [str(tmp_path / f"{i}.h5") for i in range(3)]
        for i, part in enumerate(parts):
            found = robustness(data, weights=weights, output=Path(part), shard=f"{i}/3", workers=i, **RUN)
            assert f"shard {i}/3 alone" in found["notes"][0]
        merge(parts, output=tmp_path / "all.h5")
        shown = robustness(tmp_path / "all.h5")
        assert numbers(shown) == numbers(whole) and shown["notes"] == []
        (_, a, _), (_, b, _) = read(tmp_path / "whole.h5"), read(tmp_path / "all.h5")
        assert all(np.array_equal(x.data, y.data) for x, y in zip(a, b, strict=True))

    def test_neither_order_nor_workers_matter(self, data: Path, weights: Path, tmp_path: Path) -> None:
        turned = {**RUN, "corruption": RUN["corruption"][::-1], "severity": [4, 1, 4]}
        for workers, own in ((0, RUN), (3, turned)):
            robustness(data, weights=weights, workers=workers, output=tmp_path / f"{workers}.h5", **own)
        assert (tmp_path / "0.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()


@pytest.mark.parametrize("network", ["classifier"])
class TestFiles:
    def test_a_finished_run_is_up_to_date_and_another_one_is_not(
        self, data: Path, weights: Path, tmp_path: Path
    ) -> None:
        path, heard = tmp_path / "s.h5", Heard()
        first = robustness(data, weights=weights, output=path, **RUN)
        before = path.read_bytes()
        assert robustness(data, weights=weights, output=path, messages=heard, **RUN) == first
        assert path.read_bytes() == before and "up to date" in heard.text
        robustness(data, weights=weights, output=path, seed=1, messages=heard, **RUN)
        assert path.read_bytes() != before and "seed 0 -> 1" in heard.text

    def test_without_an_output_nothing_is_left(
        self, data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")
        before = sorted(data.iterdir())
        found = robustness(data, weights=weights, **RUN)
        kept = robustness(data, weights=weights, output=tmp_path / "s.h5", **RUN)
        assert numbers(found) == numbers(kept)
        assert not list((tmp_path / "empty").iterdir()) and sorted(data.iterdir()) == before

    def test_the_rebuilt_command_makes_the_same_file(
        self, data: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        own = {"image_size": 32, "crop": True, "corrupt_at": "input", "split": "val", "seed": 2}
        robustness(data, weights=weights, output=tmp_path / "s.h5", **own, **RUN)
        header = read(tmp_path / "s.h5")[0]
        train, command = header.provenance
        (tmp_path / f"{train['key'][:12]}.pth").write_bytes(weights.read_bytes())
        words = shlex.split(command["command"])
        assert words[:2] == ["wsstool", "robustness"]
        result = CliRunner().invoke(app, [*words[1:], "--device", "cpu", "--batch-size", "3"])
        assert result.exit_code == 0 and result.stderr == "", result.stderr
        again = tmp_path / f"{header.key[:12]}.h5"
        assert again.read_bytes() == (tmp_path / "s.h5").read_bytes()

    def test_the_command_prints_json_into_a_pipe(self, data: Path, weights: Path, tmp_path: Path) -> None:
        words = ["robustness", str(data), "--weights", str(weights), "--device", "cpu"]
        words += ["--corruption", "fog", "--corruption", "zoom_blur", "--severity", "2"]
        result = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "s.h5")])
        assert result.exit_code == 0, result.stderr
        found = json.loads(result.stdout)
        assert {"clean", "robust", "retention", "mce", "corruptions", "applied"} <= found.keys()
        assert set(found["corruptions"]) == {"fog", "zoom-blur"}
        shown = CliRunner().invoke(app, ["robustness", str(tmp_path / "s.h5"), "--json"])
        assert json.loads(shown.stdout) == found


@pytest.mark.parametrize("network", ["segmenter"])
class TestFailures:
    @pytest.fixture
    def broken(self, tmp_path: Path) -> Path:
        """Six images: one is no image, and one has a mask of another size."""
        root = tmp_path / "broken"
        root.mkdir()
        write_rectangles(root, 6)
        (root / "classes.txt").write_text("0 background\n1 cat\n2 dog\n")
        (root / "images" / "01.png").write_bytes(b"no image")
        Image.new("L", (3, 3)).save(root / "masks" / "04.png")
        return root

    def test_an_image_fails_alone(self, broken: Path, weights: Path, tmp_path: Path) -> None:
        own = {"weights": weights, "output": tmp_path / "s.h5", **RUN}
        with pytest.raises(SomeFailedError, match=r"2 of 6 images failed .* --max-failed allows 1") as caught:
            robustness(broken, max_failed=1, **own)
        assert caught.value.summary["images"] == 4
        found = robustness(broken, max_failed=2, **own)
        assert found["failed"] == ["images/01.png", "images/04.png"] and found == caught.value.summary
        for name in ("masks/01.png", "masks/04.png"):
            (broken / name).unlink()  # images without ground truth are left out
        rest = robustness(broken, weights=weights, **RUN)
        assert rest["clean"] == found["clean"] and rest["corruptions"] == found["corruptions"]

    def test_the_command_shows_the_scores_and_exits_with_3(self, broken: Path, weights: Path) -> None:
        words = ["robustness", str(broken), "--weights", str(weights), "--device", "cpu"]
        result = CliRunner().invoke(app, [*words, "--corruption", "fog", "--severity", "1"])
        assert result.exit_code == 3 and json.loads(result.stdout)["images"] == 4
        assert "2 of 6 images failed" in result.stderr.splitlines()[-1]


def test_an_image_too_small_for_the_network_fails_alone(data: Path, classifier: Path, tmp_path: Path) -> None:
    meta = {**load_weights(classifier).meta, "arch": "fan-micro", "output_stride": 16}
    save_weights(tmp_path / "fan.pth", build_classifier("fan-micro", 2).state_dict(), meta)
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    Image.new("RGB", (40, 31)).save(copy / "images" / "02.png")
    own = {"weights": tmp_path / "fan.pth", **RUN}
    found = robustness(copy, output=tmp_path / "s.h5", max_failed=1, **own)
    assert found["failed"] == ["images/02.png"] and found["images"] == 15
    assert robustness(copy, image_size=32, **own)["failed"] == []


def test_a_damaged_photograph_of_frost_ends_the_run(data: Path, classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "ice").mkdir()
    (tmp_path / "ice" / "a.png").write_bytes(b"no image")
    own = {"corruption": ["fog", "frost"], "severity": [1], "frost": tmp_path / "ice", "device": "cpu"}
    for workers in (0, 2):
        with pytest.raises(BadInputError, match=r"cannot read the photograph of frost '.*a\.png'"):
            robustness(data, weights=classifier, output=tmp_path / "s.h5", workers=workers, **own)
    assert not (tmp_path / "s.h5").exists()


def test_from_python(data: Path, classifier: Path, tmp_path: Path) -> None:
    own = {"weights": str(classifier), "corruption": "fog", "severity": 2, "device": "cpu"}
    found = ws.robustness(str(data), output=str(tmp_path / "s.h5"), **own)
    assert found["corruptions"]["fog"]["severities"].keys() == {"2"}
    with ws.open(tmp_path / "s.h5") as scores:
        assert scores.kind == "score" and len(scores) == 16
        record = scores["images/00.png"]
        assert record.conditions == ("clean 0", "fog 2") and record.measure == "class"
        assert record.data.shape == (2, 1, 1) and "class under 2 conditions" in repr(record)
    assert ws.robustness(tmp_path / "s.h5")["clean"] == found["clean"]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["segmenter"])
def test_a_killed_process_goes_on(data: Path, weights: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wsstool", "robustness", str(data), "--weights", str(weights)]
    command += ["--device", "cpu", "--batch-size", "8"]
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    root = Path(__file__).parents[3]
    subprocess.run([*command, "-o", str(whole)], cwd=root, check=True, capture_output=True)
    process = subprocess.Popen(
        [*command, "-o", str(killed)], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    part, deadline = tmp_path / "killed.h5.part", time.monotonic() + 120
    empty = whole.stat().st_size // 4
    while not (part.exists() and part.stat().st_size > empty) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    again = subprocess.run(
        [*command, "-o", str(killed)], cwd=root, check=True, capture_output=True, text=True
    )
    assert "resuming at record" in again.stderr
    assert killed.read_bytes() == whole.read_bytes()
