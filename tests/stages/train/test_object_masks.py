"""Masks that were corrected elsewhere belong to the boxes that they were made from."""

import json
import pickle

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.object_sets import SIZE, truth_of, write_objects
from wsstool import store
from wsstool.data.geometry import rle
from wsstool.errors import BadInputError
from wsstool.regions import Boxes
from wsstool.stages.exchange.export import export
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.inputs.boxes import open_box_dataset
from wsstool.stages.train.object_masks import SelectedMasks, matches
from wsstool.stages.train.train_contour import train_contour
from wsstool.types import SILENT

QUICK = {"arch": "tiny", "width": 16, "crop_size": 32, "epochs": 1, "workers": 0, "batch_size": 4}
TALL, WIDE = [0, 0, 10, 20], [8, 0, 30, 20]


def drawn(*boxes, ids=None):
    numbers = ids or range(1, len(boxes) + 1)
    return Boxes(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), int), np.array(list(numbers))
    )


@pytest.mark.parametrize(
    ("boxes", "ids", "expected"),
    [
        ([TALL, WIDE], [1, 2], [0, 1]),
        ([WIDE, TALL], [2, 1], [1, 0]),
        ([[2, 3, 9, 12], [9, 1, 31, 22]], [1, 2], [0, 1]),  # corrected
        ([[2, 3, 6, 6]], [1], [0, -1]),  # corrected much
        ([WIDE, TALL], [1, 2], [1, 0]),  # numbers given anew: the overlap decides
        ([[1, 0, 10, 20], [8, 0, 29, 20]], [77, 78], [0, 1]),  # ids lost
        ([[0, 0, 4, 5]], [77], [-1, -1]),  # ids lost, and too little is left
        ([[40, 0, 50, 20]], [1], [-1, -1]),  # the id of something elsewhere
        ([[np.nan] * 4], [1], [-1, -1]),
        ([TALL, TALL], [1, 1], [0, -1]),
        ([], [], [-1, -1]),
    ],
)
def test_matches(boxes, ids, expected):
    found = matches(drawn(TALL, WIDE), np.array(boxes, np.float64).reshape(-1, 4), np.array(ids, np.int64))
    assert found.tolist() == expected
    assert matches(drawn(), np.array([TALL]), np.array([1])).tolist() == []


def corrected(mask, k):
    """What a person makes of a mask: a row or column less at a side, or a bulge."""
    mask = mask.copy()
    rows, columns = np.nonzero(mask)
    if k % 3 == 0:
        mask[:, columns.max() - 1 :] = False
    elif k % 3 == 1:
        mask[rows.min() : rows.min() + 3] = False
    else:
        mask[max(rows.min() - 2, 0) : rows.min() + 3, columns.min() : columns.min() + 4] = True
    return mask


def test_the_round_of_correction(tmp_path):
    root = write_objects(tmp_path / "data")
    boxes = tmp_path / "annotations.xml"
    import_masks(root / "boxes.json", images=root, output=tmp_path / "true.h5")
    export(tmp_path / "true.h5", output=boxes, format="cvat", settings=["shape=box"])
    content = json.loads((root / "boxes.json").read_text())
    masks = [mask for i in range(5) for _, mask in truth_of(i)]
    for k, (one, mask) in enumerate(zip(content["annotations"], masks, strict=True)):
        one["segmentation"] = rle.encode(corrected(mask, k))
        del one["bbox"]
    (tmp_path / "corrected.json").write_text(json.dumps(content))
    import_masks(tmp_path / "corrected.json", output=tmp_path / "again.h5")  # named without images/
    export(tmp_path / "again.h5", output=tmp_path / "again.xml", format="cvat")
    import_masks(tmp_path / "again.xml", images=root, output=tmp_path / "cvat.h5")
    source = open_box_dataset(root, boxes=boxes, training=True, messages=SILENT)
    for name in ("again.h5", "cvat.h5"):
        selected = SelectedMasks(tmp_path / name, source.dataset, source.table.boxes, 0.0)
        objects = source.objects()
        assert len(objects) == len(masks) and selected.known(objects) == objects
        for k, one in enumerate(objects):
            assert np.array_equal(pickle.loads(pickle.dumps(selected))(one) == 1, corrected(masks[k], k))
    heard = Heard()
    found = train_contour(
        root,
        boxes=boxes,
        selection=tmp_path / "cvat.h5",
        loss=["mask"],
        output=tmp_path / "c.pth",
        messages=heard,
        **QUICK,
    )
    assert found["objects"] == len(masks) and "without a mask" not in heard.text


def test_why_an_object_is_left_out(tmp_path):
    root = write_objects(tmp_path / "data")
    content = json.loads((root / "boxes.json").read_text())
    content["annotations"][0]["score"] = 0.1
    far = np.zeros(SIZE, bool)
    far[38:, 50:] = True
    content["annotations"][1].update(segmentation=rle.encode(far), bbox=[50, 38, 6, 2])
    (tmp_path / "edited.json").write_text(json.dumps(content))
    import_masks(tmp_path / "edited.json", images=root, output=tmp_path / "e.h5")
    heard = Heard()
    options = {"loss": ["mask"], "min_score": 0.5, "messages": heard, **QUICK}
    found = train_contour(root, selection=tmp_path / "e.h5", output=tmp_path / "c.pth", **options)
    assert found["objects"] == 5
    why = "1 objects without a mask, 1 objects whose mask failed or is below --min-score, 1 masks of"
    assert any(f"left out {why}" in text and "that fit no box" in text for text in heard.said)


def test_a_file_of_other_images_is_refused(tmp_path):
    root = write_objects(tmp_path / "data", 2)
    other = write_objects(tmp_path / "other", 2)
    for path in (other / "images").iterdir():
        path.rename(path.with_name(f"q{path.name}"))
    text = (other / "boxes.json").read_text().replace('"p', '"qp')
    (other / "boxes.json").write_text(text)
    import_masks(other / "boxes.json", images=other, output=tmp_path / "o.h5")
    source = open_box_dataset(root, messages=SILENT)
    with pytest.raises(BadInputError, match="has no masks for the training images"):
        SelectedMasks(tmp_path / "o.h5", source.dataset, source.table.boxes, 0.0)
    assert store.open_random(tmp_path / "o.h5").header.payload == "selection"
