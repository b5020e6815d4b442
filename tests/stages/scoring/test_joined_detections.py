"""Score files of detections: joined in any division of the images they score as one pass over all of them."""

import json

import numpy as np
import pytest

from wsstool.data.geometry import rle
from wsstool.errors import BadInputError, BelowThresholdError, UsageError
from wsstool.stages.scoring.evaluate import evaluate

IMAGES, SIDE = 9, 200


def square(left, top, side):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + side, left : left + side] = True
    return {"size": [SIDE, SIDE], "counts": rle.pack(rle.encode(mask)["counts"])}


def entry(image, category, left, top, side, **more):
    """A square of an image, as COCO files and results have it."""
    shape = {"bbox": [left, top, side, side], "segmentation": square(left, top, side), "area": side * side}
    return {"image_id": image, "category_id": category, **shape, **more}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A data folder with three parts, and detections with many equal scores, some of an unknown category."""
    folder = tmp_path_factory.mktemp("joined")
    (folder / "data").mkdir()
    rng = np.random.default_rng(0)
    truth, found = [], []
    for image in range(IMAGES):
        for _ in range(int(rng.integers(0, 5))):
            category, side = int(rng.integers(1, 4)), int(rng.choice([20, 32, 50, 96, 110]))
            left, top = (int(v) for v in rng.integers(0, SIDE - side - 5, 2))
            crowd = int(rng.random() < 0.15)
            truth.append(entry(image, category, left, top, side, iscrowd=crowd, id=len(truth) + 1))
            for _ in range(int(rng.integers(0, 4))):
                moved, score = rng.integers(0, 6, 2), float(rng.choice([0.3, 0.5, 0.5, 0.9]))
                other = category if rng.random() < 0.8 else int(rng.integers(1, 5))
                found.append(
                    entry(image, other, left + int(moved[0]), top + int(moved[1]), side, score=score)
                )
    found += [entry(0, 1, 1 + k % 90, 3, 40, score=0.4) for k in range(130)]  # more than a score looks at
    content = {
        "images": [
            {"id": k, "file_name": f"im{(5 * k) % IMAGES}.png", "height": SIDE, "width": SIDE}
            for k in range(IMAGES)
        ],
        "categories": [{"id": k, "name": name} for k, name in ((1, "cat"), (2, "dog"), (3, "cow"))],
        "annotations": truth,
    }
    (folder / "data/instances.json").write_text(json.dumps(content))
    (folder / "found.json").write_text(json.dumps(found))
    return folder


def parts(files, tmp_path, division, **options):
    """Score files of the images of each part of ``division``, by their number."""
    paths = []
    for numbers in division:
        (tmp_path / "part.txt").write_text("".join(f"im{k}\n" for k in numbers))
        paths.append(tmp_path / f"scores-{len(paths)}.json")
        split = str(tmp_path / "part.txt")
        evaluate(files / "found.json", truth=files / "data", split=split, output=paths[-1], **options)
    return paths


@pytest.mark.parametrize("of", ["box", "mask"])
@pytest.mark.parametrize(
    "division", [[range(3), range(3, 9)], [range(0, 9, 2), range(1, 9, 2)], [(8, 1), (0, 4, 7), (6, 2, 3, 5)]]
)
def test_joined_files_score_as_one_pass(files, tmp_path, division, of):
    whole = evaluate(files / "found.json", truth=files / "data", of=of)
    assert 0.2 < whole["scores"]["ap"] < 0.9 and whole["scores"]["ap_small"] is not None
    paths = parts(files, tmp_path, division, of=of)
    assert evaluate(paths) == whole
    assert evaluate(paths[::-1], output=tmp_path / "again.json") == whole
    assert evaluate(tmp_path / "again.json") == whole


def test_a_part_alone_scores_otherwise(files, tmp_path):
    whole = evaluate(files / "found.json", truth=files / "data")
    first, _ = parts(files, tmp_path, [range(3), range(3, 9)])
    part = evaluate(first)
    assert part["images"] == 3 and part["boxes"] < whole["boxes"]
    assert part["scores"]["ap"] != whole["scores"]["ap"]


def test_the_scores_stand_in_the_file(files, tmp_path):
    (path,) = parts(files, tmp_path, [range(9)])
    content = json.loads(path.read_text())
    assert {"scores", "classes", "curve", "definition"} <= set(content)
    assert max(len(one["scores"]) for image in content["detections"] for one in image) == 100


def test_what_cannot_be_joined(files, tmp_path):
    first, second = parts(files, tmp_path, [range(3), range(3, 9)])
    with pytest.raises(BadInputError, match=r"scores-0.json' scores image 'im\d.png' again"):
        evaluate([first, first])
    with pytest.raises(UsageError, match="--of"):
        evaluate([first, second], of="box")
    with pytest.raises(UsageError, match="--split"):
        evaluate([first, second], split="val")
    with pytest.raises(BelowThresholdError, match=r"^voc-ap-11 is"):
        evaluate([first, second], fail_under="voc-ap-11=1")
    content = {**json.loads(second.read_text()), "wsstool_scores": 1}
    del content["crc32"]  # which version 1 does not have
    for change, says in (
        ({"of": "box"}, "compares boxes, unlike"),
        ({"categories": {"1": "horse"}}, "names categories differently"),
        ({"places": [0]}, "not a score file"),
        ({"detections": [[{"class": 1}]] * 6}, "not a score file"),
    ):
        (tmp_path / "changed.json").write_text(json.dumps({**content, **change}))
        with pytest.raises(BadInputError, match=says):
            evaluate([first, tmp_path / "changed.json"])


def test_files_of_earlier_versions_have_scores_only(files, tmp_path):
    (path,) = parts(files, tmp_path, [range(9)])
    content = json.loads(path.read_text())
    del content["wsstool_scores"]
    path.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="run eval on the detections again"):
        evaluate(path)
