"""Box files to read, and the pictures that they are of."""

import json

from tests.data.folders import picture, write
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset

XYXY = [[1, 2, 11, 22], [5, 5, 45, 25], [20, 1, 40, 29]]


def coco_file(path, annotations, size=(30, 50), images=1):
    """A COCO file of pictures a.png, b.png, ... and annotations ``{"bbox": ...}`` of the first."""
    data = {
        "images": [
            {"id": k, "file_name": f"{'abcdef'[k]}.png", "height": size[0], "width": size[1]}
            for k in range(images)
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}],
        "annotations": [
            {"image_id": 0, "category_id": 7, "id": 100 + k, **a} for k, a in enumerate(annotations)
        ],
    }
    return write(path, json.dumps(data))


def xywh(box):
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


def pictures(root):
    """Two pictures of 50 x 30 pixels."""
    for name in "ab":
        picture(root / "images" / f"{name}.png", (30, 50))
    return root


def boxes_of(folder, annotations, **options):
    coco_file(folder / "boxes.json", annotations)
    return read_boxes(open_dataset(folder, labels="images"), **options)
