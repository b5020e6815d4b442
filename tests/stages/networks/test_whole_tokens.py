"""Images that are too small for a network of tokens fail alone; others are padded, which is printed once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.models.heads.test_segformer import scrambled
from tests.stages.toy import CLASSES, write_rectangles
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import SomeFailedError
from wsstool.models.classifier import build_classifier
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import save_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.train.train_classifier import train_cls

INPUT = {"mean": [0.5] * 3, "std": [0.2] * 3, "classes": list(CLASSES.names), "background": 0, "palette": []}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Seven images from 40 x 36 pixels, of which number 2 is cut to 31 x 36 and number 5 to 8 x 9."""
    (tmp_path / "data").mkdir()
    root = write_rectangles(tmp_path / "data", 7)
    for stem, size in (("02", (36, 31)), ("05", (9, 8))):
        for folder in ("images", "masks"):
            Image.open(root / folder / f"{stem}.png").crop((0, 0, *size)).save(root / folder / f"{stem}.png")
    return root


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    meta = {**INPUT, "arch": "fan-micro", "task": "classification", "class_ids": [1, 2]}
    save_weights(tmp_path / "cls.pth", scrambled(build_classifier("fan-micro", 2)).state_dict(), meta)
    return tmp_path / "cls.pth"


def segmenter(path: Path, arch: str = "segformer-fan-micro") -> Path:
    meta = {**INPUT, "arch": arch, "task": "segmentation", "class_ids": [0, 1, 2], "width": 8}
    save_weights(path, scrambled(build_segmenter(arch, 3, width=8)).state_dict(), meta)
    return path


def contents(path: Path) -> dict[str, np.ndarray]:
    """What a file holds of each image, by stem."""
    with store.open_records(path) as reader:
        return {Path(record.name).stem: record.data.copy() for record in reader.records()}


def run(stage: Any, data: Path, tmp_path: Path, **options: Any) -> tuple[Heard, list[str]]:
    """Run a stage and return its messages and the images that failed; the others are as without these."""
    heard, options = Heard(), {**options, "device": "cpu", "batch_size": 1}
    with pytest.raises(SomeFailedError):
        stage(data, output=tmp_path / "all.h5", messages=heard, **options)
    failed = [Path(line.partition(":")[0]).stem for line in heard.warned if "are too few for" in line]
    names = sorted({path.stem for path in (data / "images").iterdir()} - set(failed))
    (tmp_path / "large.txt").write_text("".join(f"{name}\n" for name in names))
    stage(data, split=str(tmp_path / "large.txt"), output=tmp_path / "large.h5", **options)
    every, large = contents(tmp_path / "all.h5"), contents(tmp_path / "large.h5")
    assert len(every) == 7 and list(large) == names
    assert all(np.array_equal(every[name], large[name]) for name in names)
    return heard, failed


class TestCam:
    @pytest.mark.parametrize("targets", ["labels", "scores", "all"])
    def test_small_images_fail_alone(
        self, data: Path, tmp_path: Path, classifier: Path, targets: str
    ) -> None:
        own = {"method": "gradcam", "targets": targets, "score_threshold": 0.0}
        heard, failed = run(cam, data, tmp_path, weights=classifier, **own)
        assert failed == ["02", "05"]
        assert (
            "images/02.png: 36 x 31 pixels are too few for fan-micro: each side needs at least 32 pixels"
            in heard.warned
        )
        assert heard.text.count("fan-micro pads 5 of 7 images at the right and bottom with the mean") == 1

    def test_at_the_smallest_scale(self, data: Path, tmp_path: Path, classifier: Path) -> None:
        Image.open(data / "images/00.png").resize((64, 63)).save(data / "images/00.png")
        own = {"method": "gradcam", "scale": [1.0, 0.5]}
        heard, failed = run(cam, data, tmp_path, weights=classifier, **own)
        assert failed == ["01", "02", "03", "04", "05", "06"]  # 63 / 2 rounds up to 32
        assert "each side needs at least 63 pixels" in heard.text

    def test_other_networks_take_them(self, data: Path, tmp_path: Path) -> None:
        meta = {**INPUT, "arch": "tiny", "task": "classification", "class_ids": [1, 2]}
        save_weights(tmp_path / "cls.pth", build_classifier("tiny", 2).state_dict(), meta)
        done = cam(data, weights=tmp_path / "cls.pth", output=tmp_path / "x.h5", device="cpu")
        assert not done["failed"]

    def test_on_the_command_line(self, data: Path, tmp_path: Path, classifier: Path) -> None:
        words = [str(data), "--weights", str(classifier), "--method", "gradcam", "--device", "cpu"]
        words += ["-o", str(tmp_path / "cams.h5")]
        result = CliRunner().invoke(app, ["cam", *words])
        assert result.exit_code == 3 and "02.png: 36 x 31 pixels" in result.stderr
        result = CliRunner().invoke(app, ["cam", *words, "--force", "--max-failed", "2"])
        assert result.exit_code == 0, result.stderr


class TestPredict:
    @pytest.mark.parametrize(
        ("arch", "how"),
        [
            ("segformer-fan-micro", "by repeating the border"),
            ("linear-fan-micro", "by repeating the border"),
            ("deeplabv3plus-fan-micro", "with the mean colour"),
        ],
    )
    def test_small_images_fail_alone(self, data: Path, tmp_path: Path, arch: str, how: str) -> None:
        heard, failed = run(predict, data, tmp_path, weights=segmenter(tmp_path / "seg.pth", arch))
        assert failed == ["02", "05"]
        assert heard.text.count(f"fan-micro pads 5 of 7 images at the right and bottom {how}") == 1

    def test_too_small_for_the_gate(self, data: Path, tmp_path: Path, classifier: Path) -> None:
        weights = segmenter(tmp_path / "seg.pth", "segformer-tiny")
        heard, failed = run(predict, data, tmp_path, weights=weights, gate=classifier)
        assert failed == ["02", "05"] and "pads" not in heard.text

    def test_probabilities(self, data: Path, tmp_path: Path) -> None:
        _, failed = run(predict, data, tmp_path, weights=segmenter(tmp_path / "seg.pth"), probabilities=True)
        assert failed == ["02", "05"]

    def test_masks_of_boxes(self, data: Path, tmp_path: Path) -> None:
        boxes = tmp_path / "boxes.json"
        names = sorted(p.name for p in (data / "images").glob("*.png"))
        sizes = [Image.open(data / "images" / name).size for name in names]
        images = [
            {"id": i, "file_name": name, "width": w, "height": h}
            for i, (name, (w, h)) in enumerate(zip(names, sizes, strict=True))
        ]
        annotations = [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
            for i in range(len(names))
        ]
        boxes.write_text(
            json.dumps(
                {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
            )
        )
        _, failed = run(predict, data, tmp_path, weights=segmenter(tmp_path / "seg.pth"), boxes=boxes)
        assert failed == ["02", "05"]


def test_validation_images_that_are_too_small_are_left_out(data: Path, tmp_path: Path) -> None:
    """Training crops are enlarged to --image-size; validation images are seen whole."""
    for name, numbers in (("train", (0, 1, 2)), ("val", (3, 4, 5))):
        (tmp_path / f"{name}.txt").write_text("".join(f"{i:02d}\n" for i in numbers))
    heard = Heard()
    options = {"arch": "fan-micro", "epochs": 1, "batch_size": 2, "image_size": 32, "workers": 0}
    splits = {"split": str(tmp_path / "train.txt"), "val_split": str(tmp_path / "val.txt")}
    train_cls(data, output=tmp_path / "m.pth", device="cpu", messages=heard, **options, **splits)
    assert (tmp_path / "m.pth").exists()
    assert "left out: 9 x 8 pixels are too few: each side needs at least 32 pixels (05.png)" in heard.warned
