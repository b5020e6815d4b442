"""``info --script`` gives commands that parse and write the same file again, whatever options there were."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.stages.toy import save_random_networks
from wsstool.cli.app import app
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.store.command_line import command_line

NAMES = ["emu", "cat", "dog"]  # not the order in which they are found without the class file


def run(line: str) -> str:
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0, (line, done.stderr)
    return done.stdout


def script_of(name: str) -> list[str]:
    lines = run(f"wsstool info {name} --script").splitlines()
    return [line for line in lines if line.startswith("wsstool ")]


def result_of(line: str) -> bytes:
    return Path(line.split(" -o ")[1]).read_bytes()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with images, labels, boxes, a class file, a classifier and a segmenter."""
    rng = np.random.default_rng(0)
    (tmp_path / "data" / "images").mkdir(parents=True)
    for i in range(3):
        image = Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8))
        image.save(tmp_path / "data" / "images" / f"{i}.png")
    (tmp_path / "tags.csv").write_text("image,labels\n0,cat\n1,emu\n2,dog\n")
    (tmp_path / "list.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(NAMES)))
    boxes = {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 40, "height": 32} for i in range(3)],
        "categories": [{"id": k, "name": name} for k, name in enumerate(NAMES)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": i, "bbox": [3.0, 4.0, 20.0, 18.0]} for i in range(3)
        ],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    save_random_networks(tmp_path, NAMES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSTOOL_DEVICE", "cpu")
    return tmp_path


CAM = "wsstool cam data --weights cls.pth --labels tags.csv --class-list list.txt"
PREDICT = "wsstool predict data --weights seg.pth --labels tags.csv --class-list list.txt"
BOXES = "wsstool predict data --weights seg.pth --boxes boxes.json --class-list list.txt"


@pytest.mark.parametrize(
    "lines",
    [
        [f"{CAM} --flip --no-rectify --scale 0.5 --scale 1 -o out.h5"],
        [f"{PREDICT} --targets labels --gate cls.pth --gate-threshold 0.05 -o out.h5"],
        [f"{PREDICT} --gate cls.pth --gate-form multiply --refine pamr --set steps=1 -o out.h5"],
        [f"{PREDICT} --targets labels --probabilities --dtype float32 --flip -o out.h5"],
        [f"{BOXES} --margin 0.1 --margin 0.3 --threshold 0.4 --box-format xywh -o out.h5"],
        [f"{CAM} -o maps.h5", "wsstool pseudo-mask maps.h5 --refine crf --set steps=1 -o out.h5"],
        [f"{CAM} -o maps.h5", "wsstool pseudo-mask maps.h5 --background white --ignore-margin 0.1 -o out.h5"],
        [f"{BOXES} -o maps.h5", "wsstool pseudo-mask maps.h5 --min-score 0.3 --overlap score -o out.h5"],
    ],
)
def test_the_script_writes_the_same_file(files: Path, lines: list[str]) -> None:
    for line in lines:
        run(line)
    script = script_of("out.h5")
    assert len(script) == len(lines)
    for line in script:
        run(line)
    assert result_of(script[-1]) == Path("out.h5").read_bytes()


@pytest.mark.parametrize("rule", ["argmax", "threshold"])
def test_the_whole_chain_writes_the_same_files_without_a_warning(files: Path, rule: str) -> None:
    """Options that do nothing beside the others are not typed again, though they are in the key."""
    training = "--epochs 1 --batch-size 2 --workers 0"
    lines = [
        "wsstool train-cls data --labels tags.csv --arch tiny --image-size 32 "
        f"{training} --class-list list.txt -o trained.pth",
        f"{CAM.replace('cls.pth', 'trained.pth')} -o cams.h5",
        f"wsstool pseudo-mask cams.h5 --rule {rule} -o masks.h5",
        f"wsstool cotrain masks.h5 --arch fcn-tiny --crop-size 32 {training} -o segmenter.pth",
        f"{PREDICT.replace('seg.pth', 'segmenter.pth')} -o out.h5",
    ]
    for line in lines:
        run(line)
    script = script_of("out.h5")
    for line, again in zip(lines, script, strict=True):
        done = CliRunner().invoke(app, shlex.split(again)[1:])
        about_options = done.stderr.replace("warning: no pseudo-mask contains", "")
        assert done.exit_code == 0 and "warning" not in about_options, (again, done.stderr)
        assert result_of(again) == result_of(line), again


def test_a_value_without_effect_stays_in_the_command_if_it_was_typed() -> None:
    """It is in the key, by which the files of a script are named."""
    options = CotrainOptions(source="masks.h5", noise_rate="0.2")
    typed, default = options.key_params(noise_rate=0.2), CotrainOptions().key_params(noise_rate="auto")
    assert typed["noise_rate"] == 0.2 and default["noise_rate"] == "auto"
    assert "--noise-rate 0.2" in command_line("cotrain", typed, [], "a" * 32)
    assert "--noise-rate" not in command_line("cotrain", default, [], "a" * 32)


def test_the_class_list_is_recorded(files: Path) -> None:
    """Without it the labels of the folder are matched by name, to the same maps under another key."""
    run(f"{CAM} -o out.h5")
    line = run("wsstool info out.h5 --script").splitlines()[-1]
    assert "--class-list list.txt" in line
    done = CliRunner().invoke(app, shlex.split(line.replace("--class-list list.txt", ""))[1:])
    assert done.exit_code == 0, done.stderr
