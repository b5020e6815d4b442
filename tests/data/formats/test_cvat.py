"""CVAT for images 1.1: what is read, what is left out, what is refused."""

import zipfile

import numpy as np
import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats import cvat
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError, MissingInputError

BOX = '<box label="wild dog" occluded="0" xtl="2.5" ytl="1" xbr="12" ybr="9.25" z_order="0"></box>'
MASK = '<mask label="cat" rle="1, 2, 1, 0, 1, 3" left="3" top="2" width="4" height="2"></mask>'
LABELS = "".join(f"<label><name>{name}</name></label>" for name in ("wild dog", "cat"))


def export(*objects: str, image='name="sub/a.png" width="20" height="10"', more: str = "") -> str:
    head = f"<version>1.1</version><meta><task><labels>{LABELS}</labels></task></meta>"
    return f'<annotations>{head}<image id="0" {image}>{"".join(objects)}</image>{more}</annotations>'


def read(tmp_path, text: str):
    return cvat.read_boxes(write(tmp_path / "annotations.xml", text))


def test_boxes_of_an_export_are_read_wherever_boxes_are(tmp_path):
    picture(tmp_path / "data/images/sub/a.png", (10, 20))
    path = write(tmp_path / "annotations.xml", export(BOX))
    dataset = open_dataset(tmp_path / "data", boxes=path)
    assert dataset.classes.names == ("background", "wild dog", "cat")
    assert dataset.labels.tolist() == [[0, 1, 0]]
    table = read_boxes(dataset, path)
    assert table.of(0).xyxy.tolist() == [[2.5, 1, 12, 9.25]] and table.of(0).ids.tolist() == [1]
    assert table.truth(0) == [None]


def test_a_mask_runs_row_by_row_in_its_window(tmp_path):
    row = read(tmp_path, export(MASK)).rows[0]
    mask = shape_mask(row.shape, (10, 20))
    want = np.zeros((10, 20), bool)
    want[2, 4:6] = want[3, 4:7] = False
    want[2:4, 3:7] = [[0, 1, 1, 0], [0, 1, 1, 1]]
    # one outside, two in, one outside, none in, one outside, three in
    assert np.array_equal(mask, want) and row.name == "cat"
    picture(tmp_path / "images/sub/a.png", (10, 20))
    table = read_boxes(open_dataset(tmp_path), "annotations.xml")
    assert table.of(0).xyxy.tolist() == [[4, 2, 7, 4]] and np.array_equal(table.truth(0)[0], want)


def test_polygons_of_one_group_are_one_object(tmp_path):
    score = '<attribute name="score">0.25</attribute>'
    one = f'<polygon label="cat" points="1,1;4,1;4,4;1,4" group_id="3">{score}</polygon>'
    two = '<polygon label="cat" points="6.0,1.0;8.0,1.0;8.0,3.0;6.0,3.0" group_id="3"></polygon>'
    other = '<polygon label="wild dog" points="6,6;8,6;8,8" group_id="3"></polygon>'
    alone = '<polygon label="cat" points="10,1;14,1;14,4" group_id="0"></polygon>'
    rows = read(tmp_path, export(one, two, other, alone, alone)).rows
    assert [(r.name, len(r.shape), r.score, r.id) for r in rows] == [
        ("cat", 2, 0.25, 1), ("wild dog", 1, 1.0, 2), ("cat", 1, 1.0, 3), ("cat", 1, 1.0, 4),
    ]  # fmt: skip
    assert shape_mask(rows[0].shape, (10, 20)).sum() == 9 + 4


def test_objects_without_an_id_follow_the_largest(tmp_path):
    known = BOX.replace("></box>", '><attribute name="id">41</attribute></box>')
    odd = BOX.replace(
        "></box>", '><attribute name="id">n/a</attribute><attribute name="score">?</attribute></box>'
    )
    rows = read(tmp_path, export(odd, known, BOX)).rows
    assert [r.id for r in rows] == [42, 41, 43] and {r.score for r in rows} == {1.0}


def test_what_is_no_box_or_mask_is_counted(tmp_path):
    turned = BOX.replace("z_order", 'rotation="30.5" z_order')
    level = BOX.replace("z_order", 'rotation="0.0" z_order')
    heard = Heard()
    others = '<points label="cat" points="1,1"/><ellipse label="cat" cx="3" rx="1"/><tag label="cat"/>'
    path = write(tmp_path / "annotations.xml", export(turned, level, others))
    picture(tmp_path / "images/sub/a.png", (10, 20))
    table = read_boxes(open_dataset(tmp_path, labels="images"), path, messages=heard)
    assert table.dropped == {"rotated box": 1, "points": 1, "ellipse": 1, "tag": 1} and len(table.of(0)) == 1
    assert "ellipse: 1, points: 1, rotated box: 1, tag: 1" in heard.warned[0]


def test_a_label_that_the_head_does_not_list_is_a_class_too(tmp_path):
    rows = read(tmp_path, export(BOX.replace("wild dog", "行人 &amp; Öl")))
    assert rows.classes.names == ("background", "wild dog", "cat", "行人 & Öl")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations>", "is not valid XML"),
        ("<annotation><object/></annotation>", "is not a CVAT file: its root element is <annotation>"),
        (export(more='<track id="0" label="cat"></track>'), "export the task from CVAT as 'CVAT for images"),
        (export(image='width="3" height="3"'), "image 0 has no name"),
        (export(image='name="a" width="3"'), "height=None is not a number"),
        (export(image='name="a" width="0" height="3"'), "0 x 3 pixels is not a valid image size"),
        (export(image='name="a" width="9999999" height="9999999"'), "is not a valid image size"),
        (export(more='<image name="sub/a.png" width="2" height="2"/>'), "lists image 'sub/a.png' twice"),
        (export(BOX.replace('"2.5"', '"left"')), "object 1: xtl='left' is not a number"),
        (export(BOX.replace('"2.5"', '"nan"')), "xtl='nan' is not a number"),
        (export(BOX.replace('label="wild dog" ', "")), "object 1 has no label"),
        (export(MASK.replace('left="3"', 'left="17"')), "extends beyond its image"),
        (export(MASK.replace('left="3"', 'left="-1"')), "extends beyond its image"),
        (export(MASK.replace('left="3"', 'left="3.5"')), "left='3.5' is not an integer"),
        (export(MASK.replace("1, 2", "1, 3")), "do not fill 4 x 2 pixels"),
        (export(MASK.replace("1, 2", "-1, 4")), "do not fill"),
        (export(MASK.replace("1, 2", "1, x")), "are not integers"),
        (export(MASK.replace("1, 2", f"{2**62}, {2**62}")), "do not fill"),
        (export('<polygon label="cat" points="1,1;2"/>'), "its points are not in the form x,y;x,y"),
        (export('<polygon label="cat" points="1,1;2,inf;3,3"/>'), "corner that is not a number"),
        ('<!DOCTYPE a [<!ENTITY x "y">]>' + "<annotations>&x;</annotations>", "declares a document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', "declares a document type"),
    ],
)  # fmt: skip
def test_malformed_files_are_refused_in_a_sentence(tmp_path, text, message):
    with pytest.raises(BadInputError) as error:
        read(tmp_path, text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_corner_far_away_is_refused_before_it_is_drawn(tmp_path):
    picture(tmp_path / "images/sub/a.png", (10, 20))
    path = write(tmp_path / "annotations.xml", export('<polygon label="cat" points="1,1;2,1e12;3,3"/>'))
    with pytest.raises(BadInputError, match="far outside the image"):
        read_boxes(open_dataset(tmp_path, labels="images"), path)


def test_names_do_not_climb(tmp_path):
    picture(tmp_path / "data/images/sub/a.png", (10, 20))
    picture(tmp_path / "b.png", (10, 20))
    path = write(tmp_path / "annotations.xml", export(BOX).replace("sub/a.png", "../b.png"))
    with pytest.raises(BadInputError, match=r"none of the 1 images: it has '../b\.png', the data folder 'im"):
        read_boxes(open_dataset(tmp_path / "data", labels="images"), path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(MissingInputError, match="there is no CVAT file"):
        cvat.read_boxes(tmp_path / "none.xml")


def test_a_zip_that_claims_more_than_it_can_hold(tmp_path):
    path = tmp_path / "job.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("annotations.xml", "<annotations>" + " " * (64 << 20) + "</annotations>")
    with pytest.raises(BadInputError, match="claims to unpack to 64 MiB, which its length does not warrant"):
        cvat.read_boxes(path)
