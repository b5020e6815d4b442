"""``info`` on data folders with boxes and on annotation files."""

import json

import pytest
from typer.testing import CliRunner

from tests.data.folders import picture, write
from tests.messages import Heard
from tests.stages.object_sets import write_objects
from wsstool.cli.app import app
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.exchange.export import export
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.streams.info import info


@pytest.fixture
def data(tmp_path):
    """Five images: a disc and a block in three of them, a block alone in one."""
    return write_objects(tmp_path / "data")


COUNTS = {"block": 4, "disc": 3}


def test_a_folder_with_boxes(data):
    content = json.loads((data / "boxes.json").read_text())
    content["annotations"] += [{**content["annotations"][0], "id": 900, "bbox": [1, 1, 0, 0]}]
    del content["annotations"][0]["segmentation"]
    (data / "boxes.json").write_text(json.dumps(content))
    boxes = info(data)["boxes"]
    assert boxes["source"] == f"COCO file '{data / 'boxes.json'}'"
    assert (boxes["objects"], boxes["images"], boxes["masks"]) == (7, 4, 6)
    assert boxes["objects_by_class"] == COUNTS and boxes["left_out"] == {"no width or height": 1}
    done = CliRunner().invoke(app, ["info", str(data), "--json"])
    assert json.loads(done.stdout)["boxes"] == boxes


def test_a_folder_without_boxes_or_with_boxes_that_cannot_be_read(data):
    write(data / "labels" / "p0.txt", "x")
    heard = Heard()
    assert "boxes" not in info(data, messages=heard)
    assert "boxes are not counted: " in heard.warned[-1] and "several sources of boxes" in heard.warned[-1]
    (data / "boxes.json").unlink()
    assert "boxes" not in info(data, messages=heard) and "expected a class number" in heard.warned[-1]
    (data / "labels" / "p0.txt").unlink()
    heard = Heard()
    assert "boxes" not in info(data, messages=heard) and not heard.warned


@pytest.mark.parametrize(
    ("format", "ending", "called"),
    [("coco", "json", "COCO"), ("cvat", "xml", "CVAT"), ("label-studio", "json", "Label Studio")],
)
def test_annotation_files(data, tmp_path, format, ending, called):
    import_masks(data / "boxes.json", images=data, output=tmp_path / "m.h5")
    path = tmp_path / f"out.{ending}"
    export(tmp_path / "m.h5", output=path, format=format)
    found = info(path)
    assert (found["format"], found["images"], found["images_with_objects"]) == (called, 5, 4)
    assert (found["objects"], found["masks"]) == (7, 7) and found["objects_by_class"] == COUNTS
    assert set(found["classes"]) == {"disc", "block"} and found["left_out"] == {}
    assert found["boxes"] == (7 if format == "coco" else 0)


def test_labels_of_whole_images_and_what_is_no_object(tmp_path):
    image = '<image name="{}" width="9" height="9"><tag label="{}"/><points label="x" points="1,1"/></image>'
    path = write(
        tmp_path / "a.xml",
        f"<annotations>{image.format('a.png', 'cat')}{image.format('b.png', 'cat')}</annotations>",
    )
    found = info(path)
    assert found["images_by_label"] == {"cat": 2} and found["left_out"] == {"points": 2}
    assert found["objects"] == 0


def test_what_is_refused(data, tmp_path):
    path = write(tmp_path / "x.json", json.dumps({"type": "FeatureCollection", "features": []}))
    with pytest.raises(BadInputError, match="GeoJSON"):
        info(path)
    with pytest.raises(MissingInputError, match=r"there is no .*y\.xml"):
        info(tmp_path / "y.xml")
    with pytest.raises(UsageError, match="--split, --labels and --class-list apply to data folders"):
        info(tmp_path / "y.xml", split="val")


def test_json_with_sentences_is_counted_as_sentences(tmp_path):
    picture(tmp_path / "images" / "a.png")
    row = {"image": "a.png", "sentences": ["the cat"], "box": [1, 1, 2, 2]}
    assert info(write(tmp_path / "referring.json", json.dumps(row)))["sentences"] == 1
