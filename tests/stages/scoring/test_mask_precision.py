"""COCO's average precision of masks of boxes: pycocotools, parts of a set, score files."""

import contextlib
import io
import json

import numpy as np
import pytest

from wsstool.errors import BadInputError
from wsstool.stages.scoring.mask_precision import NAMES, MaskPrecision, MaskRuns

SIZE = (120, 150)


def square(top, left, side):
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def scene(seed, images=4):
    """Objects of three classes and sizes; masks that are moved, missing, doubled, of another class."""
    rng = np.random.default_rng(seed)
    found = MaskPrecision()
    for image in range(images):
        found.sizes[image] = SIZE
        for _ in range(5):
            side, class_id = int(rng.choice([8, 20, 45, 100])), int(rng.integers(1, 4))
            top, left = (int(rng.integers(0, n - side)) for n in SIZE)
            found.truth.append(MaskRuns.of_mask(image, class_id, square(top, left, side)))
            for _ in range(int(rng.integers(0, 3))):
                moved = square(top + int(rng.integers(0, 4)), left + int(rng.integers(0, 4)), side)
                score = float(rng.integers(1, 9)) / 10  # some are equal
                kind = class_id if rng.random() < 0.8 else 4
                found.found.append(MaskRuns.of_mask(image, kind, moved, score))
    return found


def pycocotools_ap(parts):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    reference = COCO()
    content = parts.content()
    reference.dataset = {
        "images": [{"id": i, "height": h, "width": w} for i, (h, w) in parts.sizes.items()],
        "categories": [{"id": c} for c in sorted({one.class_id for one in parts.truth})],
        "annotations": [{**one, "id": k, "iscrowd": 0} for k, one in enumerate(content["truth"], 1)],
        "info": {},
    }
    with contextlib.redirect_stdout(io.StringIO()):
        reference.createIndex()
        # Without boxes: pycocotools takes the area of a result from its box where there is one.
        rows = [{k: v for k, v in one.items() if k != "bbox"} for one in content["found"]]
        run = COCOeval(reference, reference.loadRes(rows), "segm")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: v if v >= 0 else None for name, v in zip(NAMES, run.stats[:6].tolist(), strict=True)}


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_pycocotools(seed):
    pytest.importorskip("pycocotools")
    parts = scene(seed)
    expected = pycocotools_ap(parts)
    assert 0.1 < expected["ap"] < 0.9
    assert parts.result() == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    truth = [MaskRuns.of_mask(0, 1, square(5, 5, 20)), MaskRuns.of_mask(1, 2, square(8, 30, 12))]
    sizes = {0: SIZE, 1: SIZE}
    assert MaskPrecision(truth, truth, sizes).result()["ap"] == pytest.approx(1)
    half = [truth[0], MaskRuns.of_mask(1, 2, square(60, 0, 12), 0.8)]
    assert MaskPrecision(truth, half, sizes).result()["ap"] == pytest.approx(0.5)
    assert MaskPrecision(truth, [], sizes).result()["ap"] == 0
    assert MaskPrecision([], half, sizes).result()["ap"] is None


def test_parts_are_counted_as_one():
    whole, parts = scene(0), []
    for own in ([0], [1, 2, 3]):
        rows = ([one for one in rows if one.image in own] for rows in (whole.truth, whole.found))
        to = [own.index(i) if i in own else -1 for i in range(4)]
        parts.append(MaskPrecision(*rows, {i: SIZE for i in own}).moved(to))
    first, rest = parts
    first.merge(rest, 1)
    assert first.content() == whole.content() and first.result() == whole.result()


def test_a_score_file_holds_everything():
    parts = scene(1)
    text = json.dumps(parts.content())
    again = MaskPrecision.of_content(json.loads(text))
    assert again.result() == parts.result() and json.dumps(again.content()) == text


def test_boxes_are_tight():
    content = MaskRuns.of_mask(0, 1, square(5, 7, 20)).content()
    assert content["bbox"] == [7, 5, 20, 20] and content["area"] == 400
    assert MaskRuns.of_mask(0, 1, np.zeros(SIZE, bool)).content()["bbox"] == [0, 0, 0, 0]


def test_the_run_lengths_are_those_of_pycocotools():
    mask = pytest.importorskip("pycocotools.mask")
    drawn = np.random.default_rng(0).random(SIZE) < 0.3
    expected = mask.encode(np.asfortranarray(drawn, dtype=np.uint8))["counts"].decode("ascii")
    assert MaskRuns.of_mask(0, 1, drawn).content()["segmentation"]["counts"] == expected


def test_damaged_content_is_refused():
    content = scene(2, images=1).content()
    with pytest.raises(ValueError, match="of another size"):
        MaskPrecision.of_content({**content, "sizes": [[0, 9, 9]]})
    content["truth"][0]["segmentation"]["counts"] = "11"
    with pytest.raises(BadInputError, match="do not fill"):
        MaskPrecision.of_content(content)
