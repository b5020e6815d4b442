"""LabelMe: one JSON file per image, from every program version and every place."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool import store
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.box_file import read_box_file
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.streams.annotations import describe_annotations
from wsstool.stages.streams.info import info

SIZE = (20, 30)


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}, **more}


SQUARE = [[2, 3], [10, 3], [10, 9], [2, 9]]
SHAPES = [
    shape("cat", SQUARE),
    shape("dog", [[20, 12], [14, 2]], "rectangle"),
    shape("cat", [[20, 10], [20, 14]], "circle"),
    shape("cat", [[1, 1]], "point"),
    shape("dog", [[1, 1], [3, 3]], "line"),
]


def content(shapes=(), path="a.png", **more):
    value = {"version": "5.4.1", "flags": {}, "shapes": list(shapes), "imagePath": path, "imageData": "x" * 9}
    return json.dumps({**value, "imageHeight": SIZE[0], "imageWidth": SIZE[1], **more})


def table_of(root: Path, boxes=None, messages=None):
    dataset = open_dataset(root, labels=boxes)
    return dataset, read_boxes(dataset, boxes, messages=messages or Heard())


def check(root: Path, boxes=None):
    """The objects of ``SHAPES``."""
    heard = Heard()
    dataset, table = table_of(root, boxes, heard)
    assert len(dataset) == 1 and table.classes.names == ("background", "cat", "dog")
    assert table.of(0).class_ids.tolist() == [1, 2, 1] and table.of(0).ids.tolist() == [1, 2, 3]
    assert table.of(0).xyxy.tolist() == [[2, 3, 10, 9], [14, 2, 20, 12], [16, 6, 24, 14]]
    square, box, circle = table.truth(0)
    expected = np.zeros(SIZE, bool)
    expected[3:9, 2:10] = True
    np.testing.assert_array_equal(square, expected)
    assert box is None
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    disc = np.hypot(rows - 10, columns - 20) < 4
    assert (circle & disc).sum() / (circle | disc).sum() > 0.85
    assert table.dropped == {"point": 1, "line": 1}
    assert any("left out 2 boxes" in text and "line: 1, point: 1" in text for text in heard.warned)
    assert dataset.labels is not None and dataset.labels.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize(
    ("image", "file", "stated"),
    [
        ("a.png", "a.json", "a.png"),
        ("images/a.png", "images/a.json", "a.png"),
        ("images/a.png", "labels/a.json", r"..\images\a.png"),
        ("images/a.png", "labels/a.json", r"C:\Users\me\set\images\a.png"),
        ("images/a.png", "annotations/a.json", "a.png"),
        ("images/a.png", "labels/a.json", ""),
        ("images/sub/a.png", "images/sub/a.json", "a.png"),
    ],
)
def test_beside_the_images_or_in_one_folder(tmp_path, image, file, stated):
    picture(tmp_path / image, SIZE)
    write(tmp_path / file, content(SHAPES, stated))
    check(tmp_path)


def test_a_named_folder_or_file(tmp_path):
    root = picture(tmp_path / "data/a.png", SIZE).parent
    write(tmp_path / "elsewhere/a.json", content(SHAPES))
    write(tmp_path / "elsewhere/classes.json", '["cat", "dog"]')
    check(root, tmp_path / "elsewhere")
    check(root, tmp_path / "elsewhere/a.json")
    labels = open_dataset(root, labels=tmp_path / "elsewhere").labels
    assert labels is not None and labels.tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("place", ["images", "labels", "elsewhere"])
def test_equal_names_in_several_folders(tmp_path, place):
    """Tags, boxes and the import name the images by their paths in the data folder."""
    data = tmp_path / "data"
    files = tmp_path / place if place == "elsewhere" else data / place
    for folder, label in (("one", "cat"), ("two", "dog")):
        picture(data / "images" / folder / "a.png", SIZE)
        write(files / folder / "a.json", content([shape(label, SQUARE)]))
    names = ("images/one/a.png", "images/two/a.png")
    heard = Heard()
    dataset, table = table_of(data, files if place == "elsewhere" else None, heard)
    assert dataset.names == names and not heard.warned
    assert dataset.labels.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert [table.of(i).class_ids.tolist() for i in range(2)] == [[1], [2]]
    import_masks(files, images=data, output=tmp_path / "m.h5")
    import_masks(files, output=tmp_path / "alone.h5")
    with store.open_records(tmp_path / "m.h5") as reader:
        assert reader.header.images == names
    with store.open_records(tmp_path / "alone.h5") as reader:
        assert reader.header.images == ("one/a.png", "two/a.png")


def test_several_folders_of_files_for_one_of_images(tmp_path):
    for split, name in (("train", "a"), ("val", "b")):
        picture(tmp_path / f"images/{name}.png", SIZE)
        write(tmp_path / f"json_{split}/{name}.json", content(SHAPES, f"{name}.png"))
    heard = Heard()
    dataset, table = table_of(tmp_path, messages=heard)
    assert dataset.names == ("images/a.png", "images/b.png") and table.counts.tolist() == [3, 3]
    assert all("left out" in text for text in heard.warned)
    write(tmp_path / "json_val/again.json", content(SHAPES, "a.png"))
    with pytest.raises(BadInputError, match=f"LabelMe folder '{tmp_path}' has two files about image"):
        import_masks(tmp_path, output=tmp_path / "m.h5")


@pytest.mark.parametrize("damaged", ["[]", "{}", "null", '{"shapes": null}', content(shapes=()) + "]"])
def test_a_damaged_file_between_others(tmp_path, damaged):
    for name in "ab":
        picture(tmp_path / f"{name}.png", SIZE)
    write(tmp_path / "a.json", content(SHAPES))
    write(tmp_path / "b.json", content([], "b.png"))
    assert table_of(tmp_path)[1].counts.tolist() == [3, 0]
    write(tmp_path / "b.json", damaged)
    with pytest.raises(BadInputError, match=r"b\.json' is not (a file of LabelMe|JSON)"):
        open_dataset(tmp_path)
    with pytest.raises(BadInputError, match=r"b\.json' is not (a file of LabelMe|JSON)"):
        import_masks(tmp_path, output=tmp_path / "m.h5")


def test_outlines_without_a_pixel(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    empty = [[[2, 2], [2, 2], [5, 5]], [[2, 2], [4, 4], [8, 8]], [[50, 50], [60, 50], [60, 60]]]
    write(tmp_path / "a.json", content([shape("cat", points) for points in (*empty, SQUARE)]))
    heard = Heard()
    _, table = table_of(tmp_path, messages=heard)
    assert table.of(0).xyxy.tolist() == [[2, 3, 10, 9]]
    (warning,) = heard.warned
    assert warning.endswith("(no pixel inside its outline: 3)")


def test_nothing_is_guessed_about_the_boxes(tmp_path):
    """A rectangle states its corners, and a polygon needs no box: neither is worth a message."""
    picture(tmp_path / "a.png", SIZE)
    shapes = [shape("cat", SQUARE), shape("dog", [[1, 1], [5, 5]], "rectangle")]
    write(tmp_path / "a.json", content(shapes))
    heard = Heard()
    _, table = table_of(tmp_path, messages=heard)
    assert table.of(0).xyxy.tolist() == [[2, 3, 10, 9], [1, 1, 5, 5]]
    assert not heard.warned and not heard.said


def test_a_folder_of_another_image_size_is_described_with_a_warning(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    write(tmp_path / "a.json", content(SHAPES, imageWidth=60, imageHeight=40))
    heard = Heard()
    found = info(tmp_path, messages=heard)
    assert found["images_by_class"] == {"cat": 1, "dog": 1} and "boxes" not in found
    assert any("states 60 x 40 pixels for 'a.png', but the image has 30 x 20" in t for t in heard.warned)


def test_groups_are_one_object(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    other = [[20, 3], [25, 3], [25, 9], [20, 9]]
    shapes = [
        shape("cat", SQUARE, group_id=4),
        shape("cat", [[20, 3], [25, 9]], "rectangle", group_id=4),
        shape("dog", other, group_id=4),
        shape("cat", other, group_id=0),
        shape("cat", other, group_id=0),
    ]
    write(tmp_path / "a.json", content(shapes))
    _, table = table_of(tmp_path)
    assert table.of(0).xyxy.tolist() == [[2, 3, 25, 9], [20, 3, 25, 9], [20, 3, 25, 9]]
    assert [mask.sum() for mask in table.truth(0)] == [8 * 6 + 5 * 6, 30, 30]


def coded(piece, mode="L", format="PNG"):
    """A window as LabelMe writes it."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(piece, np.uint8)).convert(mode).save(file, format)
    return base64.b64encode(file.getvalue()).decode()


RING = np.ones((5, 7), np.uint8)
RING[2, 3] = 0


def test_masks_of_the_ai_tools(tmp_path):
    """The corners are the first and the last pixel; masks of one group are one object, also with polygons."""
    picture(tmp_path / "a.png", SIZE)
    shapes = [
        shape("cat", [[2, 3], [8, 7]], "mask", mask=coded(RING)),
        shape("dog", [[29, 19], [28.6, 18]], "mask", mask=coded(np.full((2, 1), 255)), group_id=1),
        shape("dog", SQUARE, group_id=1),
        shape("cat", [[0, 0], [1, 1]], "mask", mask=coded([[255] * 2] * 2, "1")),
    ]
    write(tmp_path / "a.json", content(shapes))
    _, table = table_of(tmp_path)
    cat, dog = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    cat[3:8, 2:9] = RING
    dog[3:9, 2:10] = dog[18:20, 29] = True
    assert table.of(0).xyxy.tolist() == [[2, 3, 9, 8], [2, 3, 30, 20], [0, 0, 2, 2]]
    np.testing.assert_array_equal(table.truth(0)[0], cat)
    np.testing.assert_array_equal(table.truth(0)[1], dog)
    done = import_masks(tmp_path, images=tmp_path, output=tmp_path / "m.h5")
    assert done["masks"] == 3


@pytest.mark.parametrize(
    ("corners", "more", "message"),
    [
        ([[2, 3], [8, 7]], {}, "'mask' is missing"),
        ([[2, 3], [8, 7]], {"mask": None}, "not a file of LabelMe"),
        ([[2, 3], [8, 7]], {"mask": "?"}, "its mask is not a PNG in base64"),
        ([[2, 3], [8, 7]], {"mask": coded(RING)[:60]}, "its mask is not a PNG in base64"),
        ([[2, 3], [8, 7]], {"mask": coded(RING, "L", "BMP")}, "its mask is not a PNG in base64"),
        ([[2, 3], [8, 7]], {"mask": coded(RING, "RGB")}, "its mask has colours"),
        ([[2, 3], [9, 7]], {"mask": coded(RING)}, "of 7 x 5 pixels does not fill its corners, .* 8 x 5"),
        ([[2, 3]], {"mask": coded(RING)}, "a mask needs two corners, but has 1"),
        ([[-1, 3], [5, 7]], {"mask": coded(RING)}, "7 x 5 pixels at -1, 3 extends beyond its image"),
        ([[24, 3], [30, 7]], {"mask": coded(RING)}, "7 x 5 pixels at 24, 3 extends beyond its image"),
        ([[0, 0], [1e30, 7]], {"mask": coded(RING)}, "extends beyond its image"),
    ],
)
def test_malformed_masks(tmp_path, corners, more, message):
    picture(tmp_path / "a.png", SIZE)
    write(tmp_path / "a.json", content([shape("cat", corners, "mask", **more)]))
    with pytest.raises(BadInputError, match=message):
        table_of(tmp_path, "a.json")


def test_a_mask_without_the_size_of_its_image(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    shapes = [shape("cat", [[2, 3], [8, 7]], "mask", mask=coded(RING))]
    write(tmp_path / "a.json", content(shapes, imageHeight=None))
    with pytest.raises(BadInputError, match="a mask needs imageHeight and imageWidth"):
        table_of(tmp_path, "a.json")


def test_files_of_early_versions(tmp_path):
    """No shape types, no size, no group; the fourth corner of a rectangle is in the last versions."""
    picture(tmp_path / "a.png", SIZE)
    plain = [{"label": "cat", "points": SQUARE, "line_color": None}]
    write(tmp_path / "a.json", json.dumps({"shapes": plain, "imagePath": "a.png", "imageData": None}))
    assert table_of(tmp_path)[1].of(0).xyxy.tolist() == [[2, 3, 10, 9]]
    write(tmp_path / "a.json", content([shape("cat", SQUARE, "rectangle")]))
    _, table = table_of(tmp_path)
    assert table.of(0).xyxy.tolist() == [[2, 3, 10, 9]] and not table.has_truth


def test_flags_are_labels_of_the_image(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    write(tmp_path / "a.json", content(flags={"wet": True, "dry": False}))
    dataset = open_dataset(tmp_path)
    assert dataset.classes.names == ("background", "wet") and dataset.labels.tolist() == [[0, 1]]


def test_regions_to_ignore_are_counted(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    shapes = [shape("__ignore__", SQUARE), shape("", SQUARE), shape("cat", SQUARE)]
    write(tmp_path / "a.json", content(shapes))
    assert table_of(tmp_path)[1].dropped == {"labelled __ignore__": 1, "without a label": 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"imageHeight": 21}, "states 30 x 21 pixels for 'a.png', but the image has 30 x 20"),
        ({"imageHeight": 0}, "30 x 0 pixels is not a valid image size"),
        ({"imageHeight": "tall"}, "not a file of LabelMe"),
        ({"imageWidth": 10**9}, "not a valid image size"),
        ({"shapes": [shape("cat", SQUARE[:2])]}, "shape 1: a polygon needs three corners, but has 2"),
        ({"shapes": [shape("cat", SQUARE[:3], "rectangle")]}, "a rectangle needs two corners or four"),
        ({"shapes": [shape("cat", SQUARE, "circle")]}, "a circle needs its centre"),
        ({"shapes": [shape("cat", [[1, float("nan")]] * 3)]}, "shape 1 has a corner that is not a number"),
        ({"shapes": [shape("cat", [["x", 1]] * 3)]}, "not a file of LabelMe"),
        ({"shapes": [shape("cat", [[1, 2, 3]] * 3)]}, "not a file of LabelMe"),
        ({"shapes": [{"label": "cat"}]}, "'points' is missing"),
        ({"shapes": [3]}, "not a file of LabelMe"),
        ({"flags": [1]}, "not a file of LabelMe"),
    ],
)
def test_malformed_files(tmp_path, more, message):
    picture(tmp_path / "a.png", SIZE)
    write(tmp_path / "a.json", json.dumps({**json.loads(content(SHAPES)), **more}))
    with pytest.raises(BadInputError, match=message):
        table_of(tmp_path, "a.json")


def test_two_files_about_one_image_and_two_sources(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    write(tmp_path / "labels/a.json", content(SHAPES, "../a.png"))
    write(tmp_path / "labels/b.json", content(SHAPES, "../a.png"))
    with pytest.raises(BadInputError, match=r"two files about image 'a\.png'"):
        read_boxes(open_dataset(tmp_path, labels="images"))
    (tmp_path / "labels/b.json").unlink()
    write(tmp_path / "boxes.json", '{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(UsageError, match=r"several sources of boxes: .*LabelMe files"):
        read_boxes(open_dataset(tmp_path, labels="images"))


def test_description_and_import(tmp_path):
    picture(tmp_path / "a.png", SIZE)
    write(tmp_path / "a.json", content(SHAPES))
    told = describe_annotations(tmp_path / "a.json", Heard())
    assert (told["format"], told["objects"], told["boxes"], told["masks"]) == ("LabelMe", 3, 1, 2)
    for source in (tmp_path, tmp_path / "a.json"):
        done = import_masks(source, images=tmp_path, output=tmp_path / "m.h5", force=True)
        assert done["masks"] == 2 and done["dropped"] == {"point": 1, "line": 1, "without a mask": 1}


def test_large_files_of_other_programs_are_not_parsed(tmp_path, monkeypatch):
    picture(tmp_path / "images/a.png", SIZE)
    write(tmp_path / "labels/a.txt", "")
    write(tmp_path / "meta.json", '{"images": "' + "x" * (1 << 17) + '", "shapes": []}')
    monkeypatch.setattr("wsstool.data.formats.labelme.json.loads", None)
    assert open_dataset(tmp_path).labels is None


def test_a_turned_picture_is_said(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", SIZE).save(tmp_path / "a.jpg", exif=exif)
    write(
        tmp_path / "a.json", content([shape("cat", SQUARE)], "a.jpg", imageHeight=SIZE[1], imageWidth=SIZE[0])
    )
    with pytest.raises(BadInputError, match="EXIF"):
        table_of(tmp_path)


def test_one_file_without_a_path_is_of_the_image_of_its_name(tmp_path):
    written = read_box_file(write(tmp_path / "a.json", content(SHAPES, "")))
    assert list(written.images) == ["a"]
