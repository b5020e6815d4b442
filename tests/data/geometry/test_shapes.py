"""Every way to write one polygon gives the same mask."""

import numpy as np
import pytest

from tests.data.boxes.box_files import coco_file
from tests.data.folders import picture
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.detections.coco import parsed
from wsstool.data.geometry.shapes import shape_mask

CORNERS = [[1, 2], [5, 2], [5, 6], [1, 6]]
FLAT = [1, 2, 5, 2, 5, 6, 1, 6]
WANTED = np.zeros((8, 9), bool)
WANTED[2:6, 1:5] = True


@pytest.mark.parametrize("shape", [[FLAT], FLAT, CORNERS, [CORNERS], [[1.0, 2], *CORNERS[1:]]])
def test_one_polygon(shape, tmp_path):
    assert np.array_equal(shape_mask(shape, (8, 9)), WANTED)
    picture(tmp_path / "images" / "a.png", (8, 9))
    coco_file(tmp_path / "boxes.json", [{"segmentation": shape}], size=(8, 9))
    assert read_boxes(open_dataset(tmp_path, labels="images")).of(0).xyxy.tolist() == [[1, 2, 5, 6]]
    result = {"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": shape}
    assert parsed(str([result]).replace("'", '"').encode(), "x").boxes.tolist() == [[1, 2, 5, 6]]


def test_several_polygons_stay_several():
    two = [FLAT, [6, 2, 8, 2, 8, 4, 6, 4]]
    assert shape_mask(two, (8, 9)).sum() == WANTED.sum() + 4
    assert not shape_mask([[1, 1], [4, 4]], (8, 9)).any()  # two corners enclose nothing
    assert not shape_mask([], (8, 9)).any()
