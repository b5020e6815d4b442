"""Class maps in windows are those of whole images, for methods that look no further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.messages import Heard
from tests.stages.pseudo_masks.test_cam_layers import write_classifier
from wsstool import store
from wsstool.errors import UsageError
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask

SIZE = (304, 416)
CLASSES = "TE\nNEC\nLYM\nTAS\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    coarse = rng.integers(0, 256, (40, 54, 3), np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize(SIZE[::-1]))
    tifffile.imwrite(root / "a.tif", large, tile=(64, 64), photometric="rgb", compression="zlib")
    Image.fromarray(large[:60, :50]).save(root / "c.png")
    (root / "labels.csv").write_text("image,labels\na,TE TAS\nc,NEC\n")
    (root / "classes.txt").write_text(CLASSES + "background\n")
    write_classifier(root.parent / "tiny.pth")
    return root


def content(path: Path) -> tuple[dict[str, list[np.ndarray]], dict[str, np.ndarray]]:
    """The maps of each image, undivided, and the tail."""
    with store.open_records(path) as reader:
        blocks = {record.name: [one.astype(float) for one in record.maps] for record in reader.records()}
        for scale, name in zip(reader.tail["scale"], blocks, strict=True):
            blocks[name] = [one * float(s) for one, s in zip(blocks[name], scale, strict=True)]
        return blocks, dict(reader.tail)


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("cam", {}),
        ("cam", {"targets": "all", "map_stride": 4}),
        ("cam", {"scale": [0.5, 1.0], "flip": True}),
        ("gradcam", {"layer": ["features.5"]}),
        ("layercam", {}),
    ],
)
def test_maps_are_those_of_the_whole_image(tmp_path, data, method, how):
    weights = data.parent / "tiny.pth"
    shared = {"weights": weights, "method": method, "dtype": "float32", **how}
    cam(data, output=tmp_path / "whole.h5", **shared)
    cam(data, output=tmp_path / "parts.h5", window=256, overlap=128, **shared)
    (whole, tail), (found, tail_of_parts) = content(tmp_path / "whole.h5"), content(tmp_path / "parts.h5")
    for name, layers in found.items():
        for one, other in zip(layers, whole[name], strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=2e-3 * np.abs(other).max())
    np.testing.assert_allclose(tail_of_parts["score"], tail["score"], atol=0.02)
    np.testing.assert_allclose(tail_of_parts["scale"], tail["scale"], rtol=2e-4)


def test_several_layers(tmp_path, data):
    shared = {"weights": data.parent / "tiny.pth", "method": "gradcam", "layer": ["features.3", "features.5"]}
    cam(data, output=tmp_path / "parts.h5", window=256, overlap=128, **shared)
    found, _ = content(tmp_path / "parts.h5")
    sides = [one.shape for one in found["a.tif"]]
    assert sides == [(2, 38, 52), (2, 38, 52)] and all(np.isfinite(one).all() for one in found["a.tif"])


def test_scores_choose_classes_of_large_images(tmp_path, data):
    shared = {"weights": data.parent / "tiny.pth", "targets": "scores", "score_threshold": 0.3}
    cam(data, output=tmp_path / "whole.h5", **shared)
    said = Heard()
    cam(data, output=tmp_path / "parts.h5", window=256, overlap=128, messages=said, **shared)
    chosen = []
    for name in ("whole", "parts"):
        with store.open_records(tmp_path / f"{name}.h5") as reader:
            chosen.append([record.class_ids.tolist() for record in reader.records()])
    assert chosen[0] == chosen[1] and chosen[0][0]
    assert any("1 image in 6 windows of 256 pixels" in text for text in said.said)


def test_an_image_without_a_class_has_no_map(tmp_path, data):
    shared = {"weights": data.parent / "tiny.pth", "targets": "scores", "score_threshold": 0.999}
    cam(data, output=tmp_path / "parts.h5", window=256, overlap=128, **shared)
    found, tail = content(tmp_path / "parts.h5")
    assert found["a.tif"][0].shape[0] == 0 and tail["status"].tolist() == [1, 1]


def test_refused(tmp_path, data):
    with pytest.raises(UsageError, match="--corruption needs whole images"):
        cam(data, weights=data.parent / "tiny.pth", window=128, corruption="fog", severity=1)


def test_label_maps_of_the_maps(tmp_path, data):
    cam(data, weights=data.parent / "tiny.pth", output=tmp_path / "cam.h5", window=256, overlap=128)
    pseudo_mask(tmp_path / "cam.h5", output=tmp_path / "mask.h5")
    with store.open_records(tmp_path / "mask.h5") as reader:
        assert [record.data.shape for record in reader.records()] == [(1, *SIZE), (1, 60, 50)]
