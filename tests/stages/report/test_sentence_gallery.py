"""Masks of sentences in the report: scores, worst first, with the sentence as caption."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.messages import Heard
from tests.stages.object_sets import SIZE
from tests.stages.sentence_sets import write_entries, write_sentences
from wsstool.errors import MissingInputError
from wsstool.stages.report.report import report
from wsstool.stages.scoring.evaluate import evaluate

TEXTS = [
    "the disc", "the round thing on the left", "green block on the right of the disc", "the purple star",
    "the block", "everything in the whole big picture", "a disc", "left one", "round and red",
]  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("sentences") / "data")


def moved(k, mask):
    """The later in the file, the worse; nothing in image 2, and something for "a disc" without a target."""
    if k == 5:
        return np.zeros_like(mask)
    return np.roll(mask, 2 * k, 1) if mask.any() else np.full_like(mask, k == 6)


def captions(path):
    """The names of the samples in the page, in order."""
    return re.findall(r'<span class="name">“(.*?)” \(', path.read_text())


@pytest.mark.parametrize("kind", ["selection", "mask"])
def test_worst_first_with_the_sentence(kind, root, tmp_path):
    file = write_entries(tmp_path / "named.h5", root, kind, moved)
    maps = write_entries(tmp_path / "c.h5", root, "contour", lambda k, mask: 0.8 * mask)
    out = tmp_path / "r.html"
    found = report([str(maps), str(file)], output=out, strips=tmp_path / "strips")
    summary = evaluate(file)
    assert found["scores"] == [{**summary, "source": "named"}]
    shown = captions(out)
    assert sorted(shown) == sorted(TEXTS)
    right = [text for text in shown if text in ("the disc", "the purple star")]
    assert shown[-2:] == right  # IoU 1
    assert set(shown[:2]) == {"everything in the whole big picture", "a disc"}  # IoU 0
    page = out.read_text()
    row = summary["rows"][0]
    assert f"overall IoU {row['overall_iou']:.3f}, mean IoU {row['mean_iou']:.3f}" in page
    assert f"largest object {row['baselines']['largest object']['overall_iou']:.3f}" in page
    assert page.count("<figcaption>c</figcaption>") == 9  # the map of every sentence
    assert page.count("no target") == 2 and "Sorted by IoU" in page


def test_strips_carry_the_sentence(root, tmp_path):
    file = write_entries(tmp_path / "named.h5", root, change=moved)
    report([str(file)], output=tmp_path / "r.html", strips=tmp_path / "strips")
    strips = sorted((tmp_path / "strips").iterdir())
    assert len(strips) == 9 and strips[0].name.startswith("named-sentences-000-p")
    sheet = np.asarray(Image.open(strips[-1])).astype(int)
    width = round(SIZE[1] * 200 / SIZE[0])
    assert sheet.shape[:2] == (18 + 18 + 200, 2 * width + 4)  # without a target: image and mask
    assert sheet[:18].min() < 100  # the title
    assert sheet[18:36].min() < 100  # the captions of the panels


def test_few_of_many(root, tmp_path):
    file = write_entries(tmp_path / "named.h5", root, change=moved)
    from wsstool.stages.report import sentence_gallery

    assert sentence_gallery.PER_SAMPLE == 4
    report([str(file)], output=tmp_path / "r.html", samples=0)
    assert captions(tmp_path / "r.html") == []


def test_without_ground_truth_by_score(root, tmp_path):
    plain, heard = tmp_path / "plain", Heard()
    (plain / "images").mkdir(parents=True)
    for path in (root / "images").iterdir():
        (plain / "images" / path.name).write_bytes(path.read_bytes())
    file = write_entries(tmp_path / "named.h5", root, change=moved, image_root=plain)
    assert report([str(file)], output=tmp_path / "r.html", messages=heard)["scores"] == []
    assert captions(tmp_path / "r.html") == TEXTS  # scores rise
    assert heard.warned == ["named: no sentences with ground-truth masks found, so no scores are reported"]
    found = report([str(file)], output=tmp_path / "r.html", expressions=root / "referring.jsonl")
    assert found["scores"][0]["rows"][0]["sentences"] == 7
    with pytest.raises(MissingInputError):
        report([str(file)], output=tmp_path / "r.html", expressions=tmp_path / "none.jsonl")


def test_failed_images_are_left_out(root, tmp_path):
    file = write_entries(tmp_path / "named.h5", root, failed=(0,))
    report([str(file)], output=tmp_path / "r.html")
    assert set(captions(tmp_path / "r.html")) == set(TEXTS[4:])
