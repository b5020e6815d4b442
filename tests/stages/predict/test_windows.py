"""Images in windows: equal to images as a whole, bounded, refused where that has no meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from tests.messages import Heard
from wsstool import store
from wsstool.errors import BadInputError, SomeFailedError, UsageError
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import save_weights
from wsstool.stages.inputs import windows as inputs_windows
from wsstool.stages.predict.predict import predict

META = {
    "task": "segmentation", "arch": "fcn-tiny", "classes": ["ground", "cat", "dog"], "class_ids": [0, 1, 2],
    "background": 0, "mean": [0.5] * 3, "std": [0.25] * 3, "palette": [],
}  # fmt: skip
SIZE = (304, 416)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A random network whose outputs are even on noise, so that each class wins somewhere."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "seg.pth"
    network = build_segmenter("fcn-tiny", 3).eval()
    last = [one for one in network.modules() if isinstance(one, torch.nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight.mul_(20)
        mean = network(torch.rand(1, 3, 128, 128) * 4 - 2).mean((0, 2, 3))
        last.bias.sub_(mean)
    save_weights(path, network.state_dict(), META)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A large image as a tiled TIFF and a photograph, a small one, and one that is damaged."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    coarse = rng.integers(0, 256, (40, 54, 3), np.uint8)
    large = np.asarray(Image.fromarray(coarse).resize(SIZE[::-1]))
    tifffile.imwrite(root / "a.tif", large, tile=(64, 64), photometric="rgb", compression="zlib")
    Image.fromarray(large[:, ::-1]).save(root / "b.png")
    Image.fromarray(large[:60, :50]).save(root / "c.png")
    return root


def masks(path: Path) -> dict[str, np.ndarray]:
    with store.open_records(path) as reader:
        return {record.name: record.data.copy() for record in reader.records()}


def test_label_maps_are_those_of_whole_images(tmp_path, weights, data):
    predict(data, weights=weights, output=tmp_path / "whole.h5")
    whole = masks(tmp_path / "whole.h5")
    for window, overlap in ((256, 128), (264, 120)):
        said = Heard()
        out = tmp_path / f"{window}.h5"
        predict(data, weights=weights, output=out, window=window, overlap=overlap, messages=said)
        found = masks(out)
        assert found.keys() == whole.keys()
        for name, mask in found.items():
            assert (mask != whole[name]).mean() < 1e-4, name
        assert np.unique(found["a.tif"]).size > 1
        assert any("computing 2 images in" in text for text in said.said)
        assert any("peak memory" in text for text in said.said)


def test_probabilities_are_those_of_whole_images(tmp_path, weights, data):
    how = {"weights": weights, "probabilities": True, "dtype": "float32"}
    predict(data, output=tmp_path / "whole.h5", **how)
    predict(data, output=tmp_path / "parts.h5", window=256, overlap=128, **how)
    whole, found = masks(tmp_path / "whole.h5"), masks(tmp_path / "parts.h5")
    for name, maps in found.items():
        assert maps.shape == whole[name].shape
        np.testing.assert_allclose(maps, whole[name], atol=2e-5)
    tails = []
    for name in ("whole", "parts"):
        with store.open_records(tmp_path / f"{name}.h5") as reader:
            reader.drain()
            tails.append({k: reader.tail[k] for k in ("scale", "score")})
    np.testing.assert_allclose(tails[1]["score"], tails[0]["score"], atol=2e-5)
    np.testing.assert_allclose(tails[1]["scale"], tails[0]["scale"], atol=2e-5)


def test_tags_scales_flips_and_refiners_apply_in_windows(tmp_path, weights, data):
    (data / "labels.csv").write_text("image,labels\na,cat\nb,dog\nc,cat\n")
    try:
        for name, how in {
            "tags": {"targets": "labels"},
            "views": {"scale": [0.5, 1.0], "flip": True},
            "refined": {"refine": "pamr", "settings": ["steps=2"]},
        }.items():
            predict(data, weights=weights, output=tmp_path / "whole.h5", **how)
            predict(data, weights=weights, output=tmp_path / "parts.h5", window=192, overlap=96, **how)
            whole, found = masks(tmp_path / "whole.h5"), masks(tmp_path / "parts.h5")
            assert (found["a.tif"] != whole["a.tif"]).mean() < 0.01, name
            if name == "tags":
                assert not (found["a.tif"] == 2).any() and not (found["b.png"] == 1).any()
    finally:
        (data / "labels.csv").unlink()


def test_large_images_come_in_windows_unasked(tmp_path, weights, data, monkeypatch):
    predict(data, weights=weights, output=tmp_path / "whole.h5")
    monkeypatch.setattr(inputs_windows, "WHOLE_PIXELS", 100_000)
    monkeypatch.setattr("wsstool.models.windows.plan.DEFAULT_WINDOW", 256)
    said = Heard()
    predict(data, weights=weights, output=tmp_path / "parts.h5", messages=said)
    assert any("in 8 windows of 256 pixels, overlap 64" in text for text in said.said)
    assert any("the network sees" in text for text in said.warned)
    whole, found = masks(tmp_path / "whole.h5"), masks(tmp_path / "parts.h5")
    assert (found["a.tif"] != whole["a.tif"]).mean() < 0.01
    said = Heard()
    predict(data, weights=weights, output=tmp_path / "never.h5", window=0, messages=said)
    assert not any("windows" in text for text in said.said)


def test_the_key_of_existing_results_stays(tmp_path, weights, data):
    keys = {
        str(how): predict(data, weights=weights, output=tmp_path / "a.h5", **how)["key"]
        for how in ({}, {"window": 160}, {"window": 160, "overlap": 80}, {"window": 0})
    }
    assert len(set(keys.values())) == 4
    with store.open_records(tmp_path / "a.h5", header_only=True) as reader:
        assert "window" in reader.header.params
    predict(data, weights=weights, output=tmp_path / "b.h5")
    with store.open_records(tmp_path / "b.h5", header_only=True) as reader:
        assert "window" not in reader.header.params


def test_a_damaged_large_image_fails_alone(tmp_path, weights, data):
    root = tmp_path / "data"
    root.mkdir()
    for name in ("a.tif", "b.png"):
        (root / name).write_bytes((data / name).read_bytes())
    whole = (root / "a.tif").read_bytes()
    (root / "a.tif").write_bytes(whole[: len(whole) // 2])
    said = Heard()
    with pytest.raises(SomeFailedError):
        predict(root, weights=weights, output=tmp_path / "m.h5", window=160, overlap=80, messages=said)
    found = masks(tmp_path / "m.h5")
    assert not (found["b.png"] == 255).any()
    assert found["a.tif"].size == 0 or (found["a.tif"] == 255).all()
    assert any("a.tif" in text and "damaged or truncated" in text for text in said.warned)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"window": 100, "overlap": 80}, "--overlap 80 is more than half of --window 100"),
        ({"window": 0, "overlap": 80}, "--overlap does nothing with --window 0"),
        ({"window": 128, "corruption": "fog", "severity": 1}, "--corruption needs whole images"),
        ({"window": -1}, "--window"),
    ],
)
def test_options_that_exclude_each_other(tmp_path, weights, data, how, why):
    with pytest.raises(UsageError, match=why):
        predict(data, weights=weights, output=tmp_path / "m.h5", **how)
    assert not (tmp_path / "m.h5").exists()


def test_interrupted_in_the_middle_of_a_large_image(tmp_path, weights, data, monkeypatch):
    """The image is computed again, and the file is that of a run without interruption."""
    how = {"weights": weights, "window": 160, "overlap": 80}
    predict(data, output=tmp_path / "a.h5", **how)
    real, calls = store.SpooledArray.pieces, []

    def stopping(self):
        for piece in real(self):
            yield piece[: piece.size // 2]
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            yield piece[piece.size // 2 :]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store.SpooledArray, "pieces", stopping)
        predict(data, output=tmp_path / "b.h5", **how)
    assert (tmp_path / "b.h5.part").exists()
    said = Heard()
    predict(data, output=tmp_path / "b.h5", messages=said, **how)
    assert any("resuming at record 2 of 3" in text for text in said.said)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_another_size_than_planned(tmp_path, weights, data, monkeypatch):
    from wsstool.stages.inputs.windows import LargeImage

    with pytest.raises(Exception, match="416 x 304 pixels instead of 400 x 300"):
        LargeImage(data / "a.tif", (300, 400, 3)).opened()
    with pytest.raises(BadInputError):
        LargeImage(Path(__file__), (300, 400, 3)).opened()
