"""Annotation files that are not read are called by their names."""

import json

import pytest

from tests.data.folders import picture, write
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.box_file import read_box_file
from wsstool.errors import BadInputError

REGION = {"filename": "a.png", "size": 1, "regions": []}


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"type": "FeatureCollection", "features": []}, "a GeoJSON file"),
        ([{"type": "Feature", "geometry": {}}], "a GeoJSON file"),
        ({"a.png1": REGION, "b.png2": REGION}, "VGG Image Annotator"),
        ({"_via_settings": {}, "_via_img_metadata": {"a.png1": REGION}}, "VGG Image Annotator"),
        ({"description": "", "tags": [], "size": {"height": 1, "width": 1}, "objects": []}, "Supervisely"),
        ([{"image": "a.png", "annotations": [{"label": "cat", "coordinates": {}}]}], "CreateML"),
        ({"info": {}, "categories": {}, "items": []}, "Datumaro"),
        ({"images": [], "categories": [], "annotations": [{"segments_info": []}]}, "COCO panoptic"),
    ],
)
def test_json(tmp_path, value, what):
    with pytest.raises(BadInputError) as error:
        read_box_file(write(tmp_path / "x.json", json.dumps(value)))
    assert what in str(error.value) and "convert it to COCO, CVAT for images 1.1, Label" in str(error.value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<annotation><object><name>x</name></object></annotation>", "is a Pascal VOC annotation, .*--boxes"),
        ("<annotation><object><polygon/></object></annotation>", "is a LabelMe annotation"),
        ("<Annotations><Annotation/></Annotations>", "is an Aperio ImageScope annotation"),
        ("<ASAP_Annotations/>", "is an ASAP annotation"),
        ("<html/>", "is XML of another kind .*<html>"),
    ],
)
def test_xml(tmp_path, text, what):
    with pytest.raises(BadInputError, match=what):
        read_box_file(write(tmp_path / "x.xml", text))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file, "),
        (b"\x89HDF\r\n", "an HDF5 file, "),
        (b"\x89PNG\r\n", "a PNG image, "),
        (b"image,labels\n", ""),
        (b"", ""),
    ],
)
def test_neither(tmp_path, content, what):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BadInputError, match=f"x' is {what}neither JSON .COCO, Label Studio. nor XML .CVAT."):
        read_box_file(tmp_path / "x")


def test_a_folder_of_annotations_that_are_not_vocs(tmp_path):
    picture(tmp_path / "images" / "a.png")
    write(tmp_path / "Annotations" / "a.xml", "<annotations><image/></annotations>")
    with pytest.raises(BadInputError, match=r"a\.xml' is a CVAT file, not a Pascal VOC annotation"):
        read_boxes(open_dataset(tmp_path, labels="images"))
