"""Scores of detections by their masks: COCO's own example, sums of pixels, crowds, and what is refused."""

import json

import numpy as np
import pytest

from wsstool.data.geometry import rle
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.mask_overlap import run_areas, run_overlaps
from wsstool.stages.scoring.evaluate import evaluate

REFERENCE = {
    "ap": 0.320, "ap50": 0.562, "ap75": 0.299, "ap_small": 0.387, "ap_medium": 0.310, "ap_large": 0.327,
    "ar1": 0.268, "ar10": 0.415, "ar100": 0.417, "ar_small": 0.469, "ar_medium": 0.377, "ar_large": 0.381,
}  # fmt: skip


def test_the_example_of_coco_to_the_third_decimal(shared):
    folder = shared / "data/eval_reference"
    source, truth = folder / "fakesegm100_results.json", folder / "instances_val2014_100.json"
    found = evaluate(source, truth=truth)
    assert found["of"] == "mask"
    assert {key: round(found["scores"][key], 3) for key in REFERENCE} == REFERENCE
    boxes = evaluate(source, truth=truth, of="box")
    assert boxes["of"] == "box" and boxes["scores"]["ap"] != found["scores"]["ap"]


def test_runs_share_what_pixels_share():
    draw = np.random.default_rng(0)
    found, true = draw.random((6, 9, 7)) < 0.5, draw.random((4, 9, 7)) < 0.5
    found[0], true[0], found[1] = False, False, True
    crowd = np.array([False, True, False, True])
    runs, theirs = ([np.array(rle.encode(one)["counts"]) for one in masks] for masks in (found, true))
    shared = np.einsum("dhw,ghw->dg", found.astype(int), true.astype(int))
    area, true_area = found.sum((1, 2))[:, None], true.sum((1, 2))
    union = np.where(crowd, area, area + true_area - shared)
    np.testing.assert_array_equal(run_overlaps(runs, theirs, crowd), shared / np.maximum(union, 1))
    np.testing.assert_array_equal(run_areas(theirs), true_area)
    assert run_overlaps([], theirs, crowd).shape == (0, 4) and run_overlaps(runs, [], crowd[:0]).shape == (
        6,
        0,
    )


@pytest.fixture
def files(tmp_path):
    """A triangle and a crowd on the right; functions to write results and to score them."""
    truth = {
        "images": [{"id": 7, "file_name": "a.jpg", "height": 40, "width": 60}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 20, 20],
             "segmentation": [[0, 0, 20, 0, 0, 20]]},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [30, 0, 30, 40], "iscrowd": 1,
             "segmentation": {"size": [40, 60], "counts": [1200, 1200]}},
        ],
    }  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))

    def results(*shapes, **more):
        rows = [
            {"image_id": 7, "category_id": 3, "score": 0.9 - k / 10, "segmentation": shape, **more}
            for k, shape in enumerate(shapes)
        ]
        (tmp_path / "results.json").write_text(json.dumps(rows))
        return tmp_path / "results.json", tmp_path / "truth.json"

    return results


def in_runs(rows, columns, size=(40, 60)):
    mask = np.zeros(size, bool)
    mask[rows, columns] = True
    counts = rle.encode(mask)["counts"]
    return {"size": list(size), "counts": rle.pack(counts)}


def test_polygons_and_crowds(files):
    triangle = [[0, 0, 20, 0, 0, 20]]
    source, truth = files(triangle, in_runs(slice(5, 20), slice(40, 50)), bbox=[0, 0, 20, 20])
    found = evaluate(source, truth=truth)
    # The second one lies in the crowd and is set aside; were it wrong, it would still stand behind the hit.
    assert found["of"] == "mask" and found["scores"]["ap"] == 1
    square = in_runs(slice(0, 14), slice(0, 14))  # IoU .7 with the triangle
    source, truth = files(in_runs(slice(5, 20), slice(40, 50)), square, bbox=[0, 0, 20, 20])
    masks = evaluate(source, truth=truth)["scores"]
    assert masks["ap50"] == 1 and masks["ap75"] == 0
    boxes = evaluate(source, truth=truth, of="box")["scores"]
    assert boxes["ap75"] == 1  # the second is a duplicate


def test_a_polygon_without_a_box_has_one_around_its_corners(files):
    source, truth = files([[0, 0, 20, 0, 0, 20]])
    assert evaluate(source, truth=truth, of="box")["scores"]["ap"] == 1


def test_an_area_is_that_of_the_mask(files):
    # 210 pixels are small, whatever box comes along; pycocotools would call this one large.
    source, truth = files([[0, 0, 20, 0, 0, 20]], bbox=[0, 0, 60, 40])
    found = evaluate(source, truth=truth)["scores"]
    assert found["ap_small"] == 1 and found["ap_medium"] is None
    assert found["ap_large"] is None


def test_what_is_refused(files, tmp_path):
    source, truth = files(in_runs(slice(0, 4), slice(0, 4), (30, 60)))
    with pytest.raises(BadInputError, match="60 x 30 pixels, but the image has 60 x 40"):
        evaluate(source, truth=truth)
    rows = json.loads(source.read_text())
    del rows[0]["segmentation"]
    source.write_text(json.dumps([{**rows[0], "bbox": [0, 0, 5, 5]}]))
    assert evaluate(source, truth=truth)["of"] == "box"
    with pytest.raises(MissingInputError, match="1 of 1 detections"):
        evaluate(source, truth=truth, of="mask")
    bare = json.loads(truth.read_text())
    del bare["annotations"][0]["segmentation"]
    (tmp_path / "bare.json").write_text(json.dumps(bare))
    source, _ = files(in_runs(slice(0, 4), slice(0, 4)))
    assert evaluate(source, truth=tmp_path / "bare.json")["of"] == "box"
    with pytest.raises(MissingInputError, match="1 of 2 ground-truth objects"):
        evaluate(source, truth=tmp_path / "bare.json", of="mask")
    with pytest.raises(UsageError, match="--of segm"):
        evaluate(source, truth=truth, of="segm")
    (tmp_path / "masks").mkdir()
    with pytest.raises(UsageError, match="--of does not apply to label maps"):
        evaluate([str(tmp_path / "masks")], of="mask")
