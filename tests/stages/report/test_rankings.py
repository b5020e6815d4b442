"""The report lists everything that it sorts, and shows the images that say most."""

import re

import numpy as np
import pytest

from tests.stages.chain import truth_of, write_data, write_masks
from tests.stages.object_sets import CLASSES, objects_of, write_objects
from tests.stages.object_sets import truth_of as objects
from wsstool import store
from wsstool.stages.report.report import report
from wsstool.stages.scoring.evaluate import evaluate


def lists(path):
    """Title -> rows of cells of every whole list of a page."""
    found = {}
    for block in re.findall(r"<details>(.*?)</details>", path.read_text(encoding="utf-8"), re.S):
        title = re.search(r"<summary>(.*?)</summary>", block)[1]
        rows = re.findall(r"<tr>(.*?)</tr>", block.partition("<tbody>")[2], re.S)
        found[title] = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    return found


def shown(path):
    return re.findall(r'<div class="sample"><header><span class="name">(.*?)</span>', path.read_text("utf-8"))


def write_selection(path, root, *, shrunk=(2, 0, 4), scores=(0.9, 0.8, 0.7)):
    """Two objects of image 0 and one of image 1, eroded from below by some rows; better scores for worse."""
    boxes = objects_of(root, range(5))
    header = store.new_header(
        "selection",
        stage="select",
        params={},
        inputs=[],
        image_root=root,
        **boxes.header_fields(),
    )
    with store.create(header, path) as writer:
        done = 0
        for i in range(5):
            masks, given = [np.zeros(0, np.uint8)], []
            for row, (_, mask) in zip(boxes.rows(i), objects(i), strict=True):
                x0, y0, x1, y1 = boxes.columns["window"][row]
                made = mask.copy()
                cut = shrunk[done % 3]
                made[np.flatnonzero(made.any(1))[-1] + 1 - cut :] = False
                masks.append(made[y0:y1, x0:x1].astype(np.uint8).reshape(-1))
                given.append(scores[done % 3] - done / 100)
                done += 1
            writer.write(np.concatenate(masks), score=given, fallback=[0] * len(given))
    return path


def test_objects_are_sorted_by_iou_where_truth_is_there(tmp_path):
    root = write_objects(tmp_path / "data")
    path = write_selection(tmp_path / "s.h5", root)
    report([str(path)], output=tmp_path / "r.html", samples=1)
    ((title, rows),) = lists(tmp_path / "r.html").items()
    assert title == "All 7 masks of s, lowest IoU first" and len(rows) == 7
    ious = [float(row[4]) for row in rows]
    assert ious == sorted(ious) and ious[0] < 0.9 and ious[-1] == 1
    assert [float(row[3]) for row in rows] != sorted(float(row[3]) for row in rows)
    whole = evaluate([path])["rows"][0]["instance_miou"]
    assert np.mean(ious) == pytest.approx(whole, abs=1e-3)
    assert {row[2] for row in rows} == set(CLASSES.names[1:])
    assert "Sorted by IoU." in (tmp_path / "r.html").read_text()
    (root / "boxes.json").unlink()
    report([str(path)], output=tmp_path / "bare.html", samples=1)
    ((title, rows),) = lists(tmp_path / "bare.html").items()
    assert title == "All 7 masks of s, lowest mask score first"
    assert [float(row[3]) for row in rows] == sorted(float(row[3]) for row in rows) and len(rows[0]) == 4


def test_all_images_are_listed_and_those_with_several_labels_shown(tmp_path):
    data = write_data(tmp_path / "data", n=9)
    masks = write_masks(tmp_path / "masks.h5", data, range(9))
    report([str(masks)], output=tmp_path / "r.html", samples=1)
    ((title, rows),) = lists(tmp_path / "r.html").items()
    assert title == "All 9 images, lowest mIoU of masks first" and len(rows) == 9
    scores = [float(row[2]) for row in rows]
    assert scores == sorted(scores)
    tags = {f"images/p{i}.png": [n for c, n in ((1, "circle"), (2, "square")) if (truth_of(i) == c).any()]
            for i in range(9)}  # fmt: skip
    assert {row[0]: row[1] for row in rows} == {name: ", ".join(names) for name, names in tags.items()}
    several = [name for name, names in tags.items() if len(names) == 2]
    assert len(several) == 3 and sorted(shown(tmp_path / "r.html")) == several
    assert "Only images with two or more labels" in (tmp_path / "r.html").read_text()
    report([str(masks)], output=tmp_path / "two.html", samples=2)  # too few of them
    assert len(shown(tmp_path / "two.html")) == 6


def test_ground_truth_is_found_beside_the_named_images(tmp_path):
    data = write_data(tmp_path / "data")
    masks = write_masks(tmp_path / "masks.h5", data)
    want = evaluate([masks])["rows"][0]["miou"]
    data.rename(tmp_path / "data2")
    found = report([str(masks)], output=tmp_path / "r.html", images=tmp_path / "data2")
    assert found["scores"][0]["rows"][0]["miou"] == want
    root = write_objects(tmp_path / "objects")
    path = write_selection(tmp_path / "s.h5", root)
    root.rename(tmp_path / "elsewhere")
    report([str(path)], output=tmp_path / "o.html", images=tmp_path / "elsewhere")
    assert "lowest IoU first" in (tmp_path / "o.html").read_text()
