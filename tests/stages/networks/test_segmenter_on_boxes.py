"""A segmenter asked about boxes."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from wsstool import store
from wsstool.errors import BadInputError
from wsstool.regions import Boxes
from wsstool.stages.networks.segmenter import OpenedSegmenter
from wsstool.stages.networks.segmenter_on_boxes import ClassMapper
from wsstool.stages.objects.contour import contour
from wsstool.stages.predict.predict import predict
from wsstool.stages.program.sample import sample
from wsstool.stages.train.cotrain import cotrain
from wsstool.types import ClassList


class Colours(nn.Module):
    """Logits of three classes: ten times red, green and blue."""

    input_multiple = 1

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(10.0))

    def forward(self, x):
        return self.weight * x


def test_a_map_is_half_where_the_class_ties_with_the_likeliest_other():
    classes = ClassList(("background", "green", "blue"), 0)
    trained = OpenedSegmenter([Colours()], {"mean": [0, 0, 0], "std": [1, 1, 1]}, classes, np.arange(3))
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :10, 0], picture[:, 10:20, 1], picture[:, 20:, 1:] = 255, 255, 255
    boxes = Boxes(np.array([[2, 2, 28, 18], [21, 0, 30, 20]], np.float32), np.array([1, 2]), np.array([1, 2]))
    mapper = ClassMapper(trained, np.array([0, 1, 2]), (0.0,), flip=True)
    green, blue = mapper(picture, boxes)
    assert green.shape == (16, 26) and blue.shape == (20, 9)
    assert green[:, :8].max() < 0.01 and green[:, 8:18].min() > 0.99
    np.testing.assert_allclose(green[:, 18:], 0.5, atol=1e-6)
    np.testing.assert_allclose(blue, 0.5, atol=1e-6)
    assert mapper(picture, Boxes(np.zeros((0, 4), np.float32), np.zeros(0, int), np.zeros(0, int))) == []


def test_masks_and_maps_of_boxes_by_a_segmenter(tmp_path):
    data = tmp_path / "data"
    sample(output=data, count=6, size=48)
    cotrain(data, output=tmp_path / "seg.pth", arch="linear-tiny", epochs=1, workers=0)
    options = {"weights": tmp_path / "seg.pth", "boxes": data / "boxes.json"}
    done = predict(data, output=tmp_path / "o.h5", **options)
    n = len(json.loads((data / "boxes.json").read_text())["annotations"])
    assert done["objects"] == n and store.open_random(tmp_path / "o.h5").header.payload == "selection"
    assert contour(data, output=tmp_path / "c.h5", **options)["objects"] == n
    content = json.loads((data / "boxes.json").read_text())
    for one in content["categories"]:
        one["name"] = f"odd-{one['id']}"
    (data / "boxes.json").write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="has no class 'odd-"):
        predict(data, output=tmp_path / "p.h5", **options)
    assert not (tmp_path / "p.h5").exists()
