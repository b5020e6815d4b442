"""Overlays of label maps and class maps are the images in the colours of the classes."""

import numpy as np
import pytest
from PIL import Image

from tests.stages.chain import CLASSES, predicted, truth_of, write_cams, write_data, write_masks
from wsstool.data.classlist import read_class_list
from wsstool.errors import MissingInputError, SomeFailedError, UsageError
from wsstool.stages.exchange.export import export


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(float)


def test_class_maps_over_the_image(tmp_path, data):
    cams = write_cams(tmp_path / "c.h5", data)
    found = export(cams, output=tmp_path / "out")
    assert (found["format"], found["written"]) == ("overlay", 6)
    names = sorted(p.name for p in (tmp_path / "out").glob("*.png"))
    assert names == sorted(
        f"p{i}-{CLASSES.names[c]}.png" for i in range(6) for c in (1, 2) if (truth_of(i) == c).any()
    )
    grey = pixels(data / "images/p0.png").mean(2, keepdims=True)
    score = np.where(truth_of(0) == 1, 1.0, 0.2)[..., None]
    want = grey + (np.array(CLASSES.palette[1]) - grey) * score * 0.85
    assert np.abs(pixels(tmp_path / "out/p0-circle.png") - want).max() <= 1
    assert read_class_list(tmp_path / "out/classes.txt") == CLASSES


def test_label_maps_over_the_image(tmp_path, data):
    masks = write_masks(tmp_path / "m.h5", data, layers=("one", "two"), fail=(5,))
    with pytest.raises(SomeFailedError):
        export(masks, output=tmp_path / "all", format="overlay", flat=True)
    assert len(list((tmp_path / "all").rglob("*.png"))) == 10
    export(masks, output=tmp_path / "out", format="overlay", layer="one", max_failed=1)
    drawn, image, labels = pixels(tmp_path / "out/p1.png"), pixels(data / "images/p1.png"), predicted(1)
    border = np.zeros(labels.shape, bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    assert (drawn[border] == 255).all()
    assert (drawn[(labels == 0) & ~border] == image[(labels == 0) & ~border]).all()
    inside = (labels == 2) & ~border
    want = image[inside] * 0.45 + np.array(CLASSES.palette[2]) * 0.55
    assert np.abs(drawn[inside] - want).max() <= 1


def test_objects_over_the_image(tmp_path, selection, pictures):
    export(selection, output=tmp_path / "out", format="overlay", images=pictures)
    drawn = pixels(tmp_path / "out/a/zwei drei.png")
    assert (drawn == 0).all()  # a black image without objects
    drawn = pixels(tmp_path / "out/犬 & größe/eins.png")  # one object covers all of it, another lies on top
    green = np.round(np.array([128, 128, 0]) * 0.55)
    assert (drawn[0, 0] == green).all() and drawn.shape == (4, 6, 3)
    on_top = np.zeros((4, 6), bool)
    on_top[1, 2:4] = on_top[2, 2] = on_top[2, 5] = True
    border = np.zeros((4, 6), bool)
    border[:, :-1] |= on_top[:, :-1] != on_top[:, 1:]
    border[:-1] |= on_top[:-1] != on_top[1:]
    assert ((drawn == 255).all(2) == border).all()


def test_images_can_be_elsewhere(tmp_path, data):
    cams = write_cams(tmp_path / "c.h5", data)
    data.rename(tmp_path / "moved")
    with pytest.raises(MissingInputError, match="--images"):
        export(cams, output=tmp_path / "out", format="overlay")
    assert export(cams, output=tmp_path / "out", images=tmp_path / "moved")["written"] == 6


def test_class_maps_have_no_other_format(tmp_path, data):
    cams = write_cams(tmp_path / "c.h5", data)
    with pytest.raises(UsageError, match="--format png cannot hold a cam file; choose from overlay"):
        export(cams, output=tmp_path / "out", format="png")
