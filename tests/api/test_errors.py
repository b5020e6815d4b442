"""Every bad argument is one sentence that names the parameter, and a WsstoolError."""

from pathlib import Path

import numpy as np
import pytest
import torch

import wsstool as ws
from tests.stages.chain import write_cams, write_data, write_masks
from wsstool.argument_types import as_type
from wsstool.errors import ArgumentError

BOXES, SCORES = [[0, 0, 10, 10], [0, 0, 10, 8]], [0.9, 0.8]
IMAGE, MAPS = np.zeros((8, 8, 3), np.uint8), np.ones((2, 8, 8), np.float32)

STAGES = {
    "epochs 1.5: give a whole number": lambda: ws.cotrain("m.h5", epochs=1.5),
    "epochs True: give a whole number": lambda: ws.cotrain("m.h5", epochs=True),
    "epochs 'two': give a whole number": lambda: ws.cotrain("m.h5", epochs="two"),
    "flip 'no': give True or False": lambda: ws.cotrain("m.h5", flip="no"),
    "lr None: give a number": lambda: ws.cotrain("m.h5", lr=None),
    "scale 'a': give a number, or several": lambda: ws.cam("d", weights="c.pth", output="x.h5", scale="a"),
    "data None: give a path": lambda: ws.train_cls(None),
    "output array([1, 2]): give a path": lambda: ws.train_cls("d", output=np.array([1, 2])),
    "output 5: give a path": lambda: ws.sample(5),
    "full 'yes': give True or False": lambda: ws.check("m.h5", full="yes"),
    "missing a required argument: 'weights'": lambda: ws.contour("d", output="x.h5"),
    "got an unexpected keyword argument 'bogus'": lambda: ws.train_cls("d", bogus=3),
}
ARRAYS = {
    "iou_threshold 'a': give a number": lambda: ws.nms.run(BOXES, SCORES, iou_threshold="a"),
    "top_before 1.5: give a whole number": lambda: ws.nms.run(BOXES, SCORES, top_before=1.5),
    "plus_one 'no': give True or False": lambda: ws.nms.run(BOXES, SCORES, plus_one="no"),
    "method None: give a string": lambda: ws.nms.run(BOXES, SCORES, method=None),
    "boxes: the rows have different lengths": lambda: ws.nms.run([[0, 0, 1, 1], [0, 1]], SCORES),
    "labels: the rows have different lengths": lambda: ws.nms.run(BOXES, SCORES, labels=[[1], [1, 2]]),
    "scores must be numbers, not object": lambda: ws.nms.run(BOXES, None),
    "1 scores for 2 boxes": lambda: ws.nms.run(BOXES, [0.5]),
    "sigma 'a': give a number": lambda: ws.nms.run(BOXES, SCORES, method="soft", sigma="a"),
    "'greedy' has no option 'sigma'; it has: iou_threshold": lambda: ws.nms.run(BOXES, SCORES, sigma=1),
    "kernel 'gaussian', sigma -1.0: give gaussian or linear, and sigma above 0": lambda: ws.nms.run(
        BOXES, SCORES, method="soft", sigma=-1
    ),
    "maps: give a (K, h, w) array of numbers, not () <U1": lambda: ws.label_map("x", IMAGE),
    "maps: the rows have different lengths": lambda: ws.label_map([[[1], [1, 2]]]),
    "image: give an (H, W, 3) uint8 array, not () <U1": lambda: ws.label_map(MAPS, "x", refine="crf"),
    "background 'x': give a class id, auto or none": lambda: ws.label_map(MAPS, background="x"),
    "class_ids: 1 for 2 maps": lambda: ws.label_map(MAPS, class_ids=[7]),
    "steps 1.5: give a whole number": lambda: ws.label_map(MAPS, IMAGE, refine="crf", steps=1.5),
    "steps 'a': give a whole number": lambda: ws.refine.crf(IMAGE, MAPS, steps="a"),
    "scores: give a (K, h, w) array of numbers, not () object": lambda: ws.refine.crf(IMAGE, None),
    "missing a required argument: 'scores'": lambda: ws.refine.crf(IMAGE),
    "network None: give a Module": lambda: ws.cams.cam(None, IMAGE),
    "network: it lacks attributes that load_classifier sets; load it with that": lambda: ws.cams.cam(
        torch.nn.Conv2d(3, 2, 1), IMAGE
    ),
    "path 5: give a string or a path": lambda: ws.open(5),
    "path None: give a string or a path": lambda: ws.load_segmenter(None),
}


@pytest.mark.parametrize(("message", "call"), [*STAGES.items(), *ARRAYS.items()])
def test_names_the_parameter(message, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ws.WsstoolError) as caught:
        call()
    assert str(caught.value) == message
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, ValueError)


def test_of_records(tmp_path):
    root = write_data(tmp_path / "data")
    masks = ws.open(write_masks(tmp_path / "m.h5", root))
    with pytest.raises(ws.WsstoolError, match=r"^no image is called 'nope.jpg' in '.*m.h5'$") as caught:
        masks["nope.jpg"]
    assert isinstance(caught.value, KeyError)
    record = masks["p0.png"]
    with pytest.raises(ArgumentError, match=r"^layer 'x': give a whole number$"):
        record.overlay("x")
    with pytest.raises(ArgumentError, match=r"^layer 3: there are 1$"):
        record.overlay(3)
    with pytest.raises(ArgumentError, match=r"^no layer 'x'; there are: features$"):
        ws.open(write_cams(tmp_path / "c.h5", root))["p0.png"].layer("x")
    masks.close()
    with pytest.raises(ArgumentError, match=r"is closed$"):
        masks["p0.png"]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        (np.float32(0.5), float, 0.5),
        (np.int64(3), int, 3),
        (np.bool_(True), bool, True),
        (torch.tensor(3), int, 3),
        (0.3, str, "0.3"),
        (Path("a"), str, "a"),
        ("a", Path, Path("a")),
        ("a", str | Path, "a"),
        ("3", str | int, "3"),
        (3, str | int, 3),
        (None, int | None, None),
        (1, list[float] | None, [1.0]),
        ((1, np.float64(2)), list[float], [1.0, 2.0]),
        ({"a": 1}, list[str] | None, ["a=1"]),
        ("ab", list[str], ["ab"]),
        ([1, 2], tuple[float, ...], (1.0, 2.0)),
    ],
)
def test_values_that_are_meant(value, hint, expected):
    found = as_type(value, hint, "x")
    assert found == expected and type(found) is type(expected)


def test_equal_values_make_equal_keys(tmp_path):
    """1 and 1.0 are one learning rate, as on the command line."""
    cams = write_cams(tmp_path / "cams.h5", write_data(tmp_path / "data"))
    found = [
        ws.pseudo_mask(cams, output=tmp_path / "m.h5", background_power=power, ignore_margin=margin)
        for power, margin in ((2, 0), (2.0, 0.0), (np.float32(2), np.int64(0)))
    ]
    assert len({one["key"] for one in found}) == 1
