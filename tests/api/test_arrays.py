"""Methods on arrays in memory give what the stages give."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import wsstool as ws
from tests.stages.chain import CLASSES, write_cams, write_data
from wsstool.masks.crf import crf
from wsstool.masks.guided.affinity import affinity
from wsstool.masks.guided.region_vote import region_vote
from wsstool.models.classifier import NORMALIZATIONS, build_classifier
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import save_weights
from wsstool.regions import Proposals


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = write_data(tmp_path_factory.mktemp("arrays") / "data")
    mean, std = NORMALIZATIONS["imagenet"]
    meta = {
        "classes": list(CLASSES.names),
        "background": 0,
        "mean": mean,
        "std": std,
    }
    torch.manual_seed(0)
    save_weights(
        folder / "cls.pth",
        build_classifier("tiny", 2).state_dict(),
        {**meta, "arch": "tiny", "task": "classification", "class_ids": [1, 2]},
    )
    save_weights(
        folder / "seg.pth",
        build_segmenter("fcn-tiny", 3).state_dict(),
        {**meta, "arch": "fcn-tiny", "task": "segmentation", "class_ids": [0, 1, 2]},
    )
    write_cams(folder / "cams.h5", folder)
    return folder


@pytest.fixture(scope="module")
def network(root):
    return ws.load_classifier(root / "cls.pth", device="cpu")


@pytest.fixture(scope="module")
def image(root) -> np.ndarray:
    return np.array(Image.open(root / "images/p0.png"))


def test_a_classifier_knows_its_classes(network, image):
    assert network.classes == CLASSES.names and network.class_ids == (1, 2) and network.background == 0
    assert not network.training
    assert network(network.prepare(image)).shape == (1, 2)


def test_a_segmenter_knows_its_classes(root, image):
    network = ws.load_segmenter(str(root / "seg.pth"), device="cpu")
    assert network.classes == CLASSES.names and network.class_ids == (0, 1, 2)
    assert network(network.prepare(image)).shape == (1, 3, 24, 32)


def test_the_wrong_network_is_refused(root):
    with pytest.raises(ws.WsstoolError, match="is a segmenter, not a classifier"):
        ws.load_classifier(root / "seg.pth")
    with pytest.raises(ws.WsstoolError, match="is a classifier"):
        ws.load_segmenter(root / "cls.pth")


@pytest.mark.parametrize(
    ("method", "options"),
    [("cam", {}), ("layercam", {}), ("gradcam++", {"scale": [0.5, 1.0], "flip": True})],
)
def test_maps_of_one_image_are_those_of_the_stage(root, network, image, tmp_path, method, options):
    function = getattr(ws.cams, method.replace("++", "_plus_plus"))
    maps = function(network, image, targets=["circle", 2], **options)
    stage = {"weights": root / "cls.pth", "method": method, "dtype": "float32", "device": "cpu", **options}
    ws.cam(root, output=tmp_path / "c.h5", map_stride=24 // maps.data.shape[1], **stage)
    stored = ws.open(tmp_path / "c.h5")["p0.png"].maps
    assert maps.class_ids.tolist() == stored.class_ids.tolist() == [1, 2]
    assert np.allclose(maps.data, stored.data, rtol=1e-4, atol=1e-5 * np.abs(stored.data).max())
    assert maps.size == (24, 32) and maps.data.dtype == np.float32


def test_targets(network, image):
    every = ws.cams.cam(network, image)
    assert every.class_ids.tolist() == [1, 2]
    one = ws.cams.cam(network, image, targets=[2])
    assert np.array_equal(one.data[0], every.data[1])
    with pytest.raises(ValueError, match=r"no class 'cow'; it has 1 circle, 2 square"):
        ws.cams.cam(network, image, targets=["cow"])
    with pytest.raises(ValueError, match="no class 0"):
        ws.cams.cam(network, image, targets=[0])


def test_an_image_may_be_a_pillow_image(network, image):
    found = ws.cams.cam(network, Image.fromarray(image))
    assert np.array_equal(found.data, ws.cams.cam(network, image).data)
    grey = Image.fromarray(image[..., 0])
    assert ws.cams.cam(network, grey).data.shape == found.data.shape


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((3, 4, 4), np.uint8)])
def test_other_arrays_are_no_images(network, bad):
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        ws.cams.cam(network, bad)


def test_another_network_is_refused(image):
    with pytest.raises(TypeError, match="load_classifier"):
        ws.cams.cam(torch.nn.Conv2d(3, 2, 1), image)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"refine": "crf"},
        {"refine": "crf", "background_threshold": 0.5},
        {"rule": "multilayer"},
    ],
)
def test_a_label_map_is_that_of_the_stage(root, image, tmp_path, options):
    ws.pseudo_mask(root / "cams.h5", output=tmp_path / "m.h5", **options)
    stored = ws.open(tmp_path / "m.h5")["p0.png"].data
    found = ws.label_map(ws.open(root / "cams.h5")["p0.png"].maps, image, **options)
    assert found.dtype == np.uint8 and np.array_equal(found, stored)
    assert set(np.unique(found)) == ({1, 2} if "rule" in options else {0, 1, 2})


@pytest.mark.parametrize("options", [{}, {"refine": "crf"}])
def test_a_label_map_of_probabilities_is_that_of_the_stage(root, image, tmp_path, options):
    probabilities = tmp_path / "p.h5"
    weights = root / "seg.pth"
    ws.predict(root, weights=weights, output=probabilities, probabilities=True, device="cpu")
    ws.pseudo_mask(probabilities, output=tmp_path / "m.h5", **options)
    found = ws.label_map(ws.open(probabilities)["p0.png"].maps, image, **options)
    assert np.array_equal(found, ws.open(tmp_path / "m.h5")["p0.png"].data)


def test_a_label_map_of_plain_arrays():
    maps = np.array([[[1.0, 0.1, 0.1]], [[0.1, 0.9, 0.1]]])
    assert ws.label_map(maps).tolist() == [[1, 2, 0]]
    assert ws.label_map(maps, class_ids=[7, 9], background=3).tolist() == [[7, 9, 3]]
    assert ws.label_map(maps, background="none").tolist()[0][:2] == [1, 2]
    assert 0 not in ws.label_map(maps, background="none")


def test_a_label_map_takes_the_size_of_the_image(network, image):
    maps = ws.cams.cam(network, image)
    assert maps.data.shape[1:] != (24, 32)
    assert ws.label_map(maps).shape == ws.label_map(maps, image).shape == (24, 32)


def test_options_of_label_maps_are_checked(image):
    maps = np.ones((1, 24, 32))
    with pytest.raises(ws.WsstoolError, match="needs the image"):
        ws.label_map(maps, refine="crf")
    with pytest.raises(TypeError, match="logit_scale"):
        ws.label_map(maps, logit_scale=3)
    with pytest.raises(TypeError, match="nonsense"):
        ws.label_map(maps, image, refine="crf", nonsense=3)
    with pytest.raises(ws.WsstoolError, match="threshold"):
        ws.label_map(maps, background_threshold=2)


def test_a_refiner_is_one_function(image):
    scores = np.random.default_rng(0).random((2, 24, 32), np.float32)
    found = ws.refine.crf(image, scores, steps=2)
    assert np.array_equal(found, crf(scores, image, steps=2))
    assert np.array_equal(found, ws.refine.crf(Image.fromarray(image), torch.from_numpy(scores), steps=2))
    preset = ws.refine.crf(image, scores, preset="deeplab", steps=2)
    assert np.array_equal(preset, crf(scores, image, bilateral_xy=80.0, bilateral_rgb=13.0, steps=2))
    assert ws.refine.random_walk(image, scores).shape == scores.shape


def test_a_refiner_that_reads_more_takes_it_by_name(image):
    scores = np.random.default_rng(0).random((2, 24, 32), np.float32)
    sides = np.repeat([[0] * 16 + [1] * 16], 24, 0).astype(np.uint16)
    halves = Proposals(sides, np.array([[0, 0, 1], [1, 1, 1]], np.uint16))
    found = ws.refine.regions(image, scores, regions=halves)
    assert np.array_equal(found, region_vote(scores, image, halves)) and len(np.unique(found)) <= 4
    labels = ws.label_map(scores, image, refine="regions", regions=halves, background="none", vote="sepl")
    assert len(np.unique(labels[:, :16])) == len(np.unique(labels[:, 16:])) == 1
    features = np.random.default_rng(1).random((3, 6, 8))
    assert np.array_equal(
        ws.refine.affinity(image, scores, features=features, walk_steps=1),
        affinity(scores, image, features.astype(np.float32), walk_steps=1),
    )
    with pytest.raises(ws.WsstoolError, match="needs region proposals"):
        ws.refine.regions(image, scores)
    with pytest.raises(ws.WsstoolError, match="give the Proposals"):
        ws.refine.regions(image, scores, regions=scores)


def test_families_list_their_methods():
    assert {"cam", "layercam", "gradcam_plus_plus"} <= set(dir(ws.cams))
    assert dir(ws.refine) == ["affinity", "crf", "pamr", "random_walk", "regions", "sam"]
    assert "LayerCAM" in ws.cams.layercam.__doc__
    with pytest.raises(AttributeError, match=r"wsstool.refine has no method 'x'; it has crf"):
        ws.refine.x  # noqa: B018


def test_nms_of_plain_lists():
    found = ws.nms.run([[0, 0, 10, 10], [0, 0, 10, 9]], [0.9, 0.8], iou_threshold=0.5)
    assert found.keep.tolist() == [0]
