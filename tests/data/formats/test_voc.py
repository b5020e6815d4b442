"""Pascal VOC: which folders are found, and objects without a name."""

import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset


def voc(*names):
    objects = "".join(
        f"<object>{name}<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object>"
        for name in names
    )
    return f"<annotation><size><width>5</width><height>4</height></size>{objects}</annotation>"


CAT = "<name>cat</name><part><name>head</name></part>"


@pytest.mark.parametrize("images", ["images", "JPEGImages", "img", "."])
@pytest.mark.parametrize("annotations", ["Annotations", "annotations", "ANNOTATIONS"])
@pytest.mark.parametrize("below", ["", "train/"])
def test_folders(tmp_path, images, annotations, below):
    picture(tmp_path / images / f"{below}a.png")
    write(tmp_path / annotations / f"{below}a.xml", voc(CAT))
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "voc" and dataset.labels.sum() == 1
    table = read_boxes(dataset)
    assert table.of(0).xyxy.tolist() == [[1, 2, 4, 4]] and table.classes.names[8] == "cat"


def test_annotations_beside_a_table_or_a_coco_file_are_boxes(tmp_path):
    picture(tmp_path / "images" / "a.png")
    write(tmp_path / "annotations" / "a.xml", voc(CAT))
    write(tmp_path / "labels.csv", "image,labels\na.png,dog\n")
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "table" and dataset.classes.names == ("background", "dog")
    assert read_boxes(open_dataset(tmp_path, labels="images")).counts.tolist() == [1]


@pytest.mark.parametrize("name", ["", "<name/>", "<name> </name>"])
def test_an_object_without_a_name_is_left_out_and_counted(tmp_path, name):
    picture(tmp_path / "JPEGImages" / "a.png")
    write(tmp_path / "Annotations" / "a.xml", voc(name, CAT))
    heard = Heard()
    dataset = open_dataset(tmp_path, messages=heard)
    assert dataset.classes.names[8] == "cat" and dataset.labels.sum() == 1
    assert "1 images" in heard.lines[0] and "objects without a name" in heard.lines[0]
    table = read_boxes(dataset)
    assert table.counts.tolist() == [1] and table.dropped == {"without a name": 1}
