"""cam and predict take the labels of a folder by the names of their classes, whatever their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.stages.toy import save_random_networks
from wsstool import store
from wsstool.errors import BadInputError
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.robustness.robustness import robustness

NAMES = ["cat", "dog", "emu"]


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    save_random_networks(tmp_path, NAMES)
    return tmp_path


def folder(root: Path, rows: list[str], classes: str | None) -> Path:
    """Three images whose tags are ``rows``, or in their names where rows are in brackets."""
    root.mkdir()
    rng = np.random.default_rng(0)
    for i, row in enumerate(rows):
        name = f"{i}{row}" if row.startswith("[") else str(i)
        Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(root / f"{name}.png")
    if not rows[0].startswith("["):
        (root / "labels.csv").write_text("image,labels\n" + "".join(f"{i},{r}\n" for i, r in enumerate(rows)))
    if classes:
        (root / "classes.txt").write_text("\n".join(classes.split()) + "\n")
    return root


def records(path: Path) -> tuple[list[list[int]], list[str], list[np.ndarray]]:
    with store.open_records(path) as reader:
        names = list(reader.header.classes.names)
        labels = reader.header.labels
        assert labels is not None
        return labels.tolist(), names, [np.array(record.data) for record in reader.records()]


@pytest.mark.parametrize(
    ("rows", "classes"),
    [
        (["emu", "cat;dog", "dog"], None),  # sorted, after a background that is added
        (["emu", "cat;dog", "dog"], "emu dog cat"),
        (["emu", "cat;dog", "dog"], "dog background cow cat emu"),
        (["[001]", "[110]", "[010]"], None),  # digits have no names: those of the network
    ],
)
@pytest.mark.parametrize("stage", ["cam", "predict"])
def test_labels_follow_their_names(networks: Path, rows: list[str], classes: str | None, stage: str) -> None:
    plain = folder(networks / "plain", ["emu", "cat;dog", "dog"], "cat dog emu")
    other = folder(networks / "other", rows, classes)
    for data, out in ((plain, "a.h5"), (other, "b.h5")):
        options = {"output": networks / out, "device": "cpu", "workers": 0}
        if stage == "cam":
            cam(data, weights=networks / "cls.pth", **options)
        else:
            predict(data, weights=networks / "seg.pth", targets="labels", **options)
    (labels, names, expected), (own_labels, own, found) = (records(networks / n) for n in ("a.h5", "b.h5"))
    assert own == names == NAMES
    assert own_labels == labels == [[0, 0, 1], [1, 1, 0], [0, 1, 0]]
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_a_label_that_the_network_lacks(networks: Path) -> None:
    data = folder(networks / "data", ["emu", "cat", "yak"], "cat dog emu yak")
    options = {"output": networks / "x.h5", "device": "cpu", "workers": 0}
    says = "^'.*' and '.*' have different classes: images have the label yak, which is not in cat, dog, emu$"
    for stage in (
        lambda: cam(data, weights=networks / "cls.pth", **options),
        lambda: predict(data, weights=networks / "seg.pth", targets="labels", **options),
        lambda: robustness(data, weights=networks / "cls.pth", corruption=["fog"], **options),
    ):
        with pytest.raises(BadInputError, match=says):
            stage()
    predict(data, weights=networks / "seg.pth", **options)  # labels do not matter
    with store.open_records(networks / "x.h5") as reader:
        assert reader.header.labels is None


def test_names_that_cannot_be_matched(networks: Path) -> None:
    data = folder(networks / "data", ["kiwi", "cat", "kiwi"], "cat kiwi")
    says = "cannot be matched by name: cat, dog, emu; and cat, kiwi$"
    with pytest.raises(BadInputError, match=says):
        cam(data, weights=networks / "cls.pth", output=networks / "x.h5", device="cpu")
