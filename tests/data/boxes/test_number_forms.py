"""How the four numbers of a box are meant, and how it is noticed that they are meant otherwise."""

import numpy as np
import pytest

from tests.data.boxes.box_files import XYXY, boxes_of, pictures, xywh
from tests.data.folders import write
from tests.messages import Heard
from wsstool.data.boxes.number_forms import FORMS, check_form, corners, misfits
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.errors import BadInputError, UsageError


@pytest.fixture
def folder(tmp_path):
    return pictures(tmp_path)


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_corners(self, form):
        written = {
            "xyxy": XYXY,
            "xywh": [xywh(b) for b in XYXY],
            "cxcywh": [[(a + c) / 2, (b + d) / 2, c - a, d - b] for a, b, c, d in XYXY],
        }[form]
        assert corners(np.array(written, float), form).tolist() == XYXY

    def test_corners_in_a_coco_file(self, folder):
        annotations = [{"bbox": b} for b in XYXY]
        with pytest.raises(BadInputError, match="look like left, top, right, bottom") as caught:
            boxes_of(folder, annotations)
        assert "choose with --box-format xyxy" in str(caught.value)
        assert boxes_of(folder, annotations, box_format="xyxy").of(0).xyxy.tolist() == XYXY
        assert boxes_of(folder, annotations, box_format="xywh").clipped == 1

    def test_width_and_height_in_voc(self, folder):
        boxes = "".join(
            f"<object><name>cat</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax>"
            f"<ymax>{d}</ymax></bndbox></object>"
            for a, b, c, d in ([1, 2, 10, 20], [30, 10, 10, 10], [20, 3, 9, 20])
        )
        write(folder / "Annotations" / "a.xml", f"<annotation>{boxes}</annotation>")
        with pytest.raises(BadInputError, match=r"look like left, top, width, height \(xywh\)"):
            read_boxes(open_dataset(folder, labels="images"), "Annotations")

    def test_a_few_sloppy_boxes_do_not_make_another_form(self):
        rng = np.random.default_rng(1)
        starts = rng.uniform(0, 200, (100, 2))
        numbers = np.concatenate([starts, rng.uniform(5, 100, (100, 2))], 1)
        extents = np.full((100, 2), 300.0)
        numbers[:30, 2] = 300  # they leave the image
        assert not check_form(numbers, "xywh", extents, "x", fractions=False)
        right = corners(numbers[30:], "xywh")
        with pytest.raises(BadInputError, match="xyxy"):
            check_form(right, "xywh", extents[30:], "x", fractions=False)

    @pytest.mark.parametrize(
        ("extent", "slack"),
        [(1000, 20), (100, 2), (50, 2), (1, 0.02)],
        ids=["2 %", "2 px", "2 of 50", "share"],
    )
    def test_how_far_a_box_may_leave_its_image(self, extent, slack):
        """By 2 % of the side, and by 2 pixels in images of fewer than 100."""
        inside = np.array([0.2, 0.2, 0.8, 0.8]) * extent
        boxes = np.tile(inside, (9, 1))
        boxes[1:5] += np.diag([-1, -1, 1, 1]) * (0.2 * extent + slack)
        boxes[5:9] += np.diag([-1, -1, 1, 1]) * (0.2 * extent + 1.5 * slack)
        boxes[1:5] *= 1 - 1e-9  # rounding is no misfit
        found = misfits(boxes, "xyxy", np.full((9, 2), float(extent)))
        assert found.tolist() == [False] * 5 + [True] * 4

    @pytest.mark.parametrize(
        ("box", "empty"), [([3, 3, 3, 9], True), ([3, 3, 9, 3], True), ([3, 3, 4, 4], False)]
    )
    def test_an_empty_box_is_a_misfit(self, box, empty):
        assert misfits(np.array([box], float), "xyxy", np.full((1, 2), 50.0)).tolist() == [empty]

    def test_boxes_of_larger_images(self, folder):
        annotations = [{"bbox": [4 * v for v in xywh(b)]} for b in XYXY]
        with pytest.raises(BadInputError, match=r"of \d+ boxes of .* lie mostly outside their images"):
            boxes_of(folder, annotations)
        assert boxes_of(folder, annotations, box_format="xywh").clipped

    def test_both_fit_is_said(self, folder):
        said = Heard()
        boxes_of(folder, [{"bbox": [2, 2, 9, 9]}], messages=said)
        assert "left, top, right, bottom would also fit" in said.said[0]

    def test_units(self, folder):
        with pytest.raises(BadInputError, match="needs pixels"):
            boxes_of(folder, [{"bbox": [0.1, 0.1, 0.5, 0.5]}])
        (folder / "boxes.json").unlink()
        write(folder / "labels" / "a.txt", "0 20 10 8 8")
        with pytest.raises(BadInputError, match="needs fractions of the image"):
            read_boxes(open_dataset(folder))
        with pytest.raises(UsageError, match="--box-format yxyx"):
            read_boxes(open_dataset(folder), box_format="yxyx")

    @pytest.mark.parametrize("line", ["0 .5 .5 .1", "cat .5 .5 .1 .1", "-1 .5 .5 .1 .1", "0 1 2 3 4 5 6 7"])
    def test_not_yolo(self, folder, line):
        write(folder / "labels" / "a.txt", f"0 .5 .5 .1 .1\n{line}")
        with pytest.raises(BadInputError, match="line 2"):
            read_boxes(open_dataset(folder))
