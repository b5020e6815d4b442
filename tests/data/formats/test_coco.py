"""COCO files as other programs write them: ids twice, names twice, empty marks, ids that are 0."""

import json

import numpy as np
import pytest

from tests.data.boxes.box_files import pictures
from tests.data.folders import write
from tests.messages import Heard
from wsstool.data.boxes.ground_truth import read_objects
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.coco_write import write_instances
from wsstool.data.formats.detections import coco_masks
from wsstool.data.geometry import rle
from wsstool.data.geometry.instances import AnnotatedImage, Instance
from wsstool.errors import BadInputError
from wsstool.types import ClassList

MASK = np.zeros((30, 50), bool)
MASK[3:9, 4:20] = True
RUNS = rle.encode(MASK)
CORNERS = [[4, 3, 20, 3, 20, 9, 4, 9]]


def image(number, name, size=(30, 50)):
    return {"id": number, "file_name": name, "height": size[0], "width": size[1]}


def annotation(number, *, image_id=1, category=1, **more):
    box = {"bbox": [4, 3, 16, 6], "iscrowd": 0}
    return {"id": number, "image_id": image_id, "category_id": category, **box, **more}


def coco(folder, annotations, images=None, categories=((1, "cat"), (2, "dog"))):
    data = {
        "images": images or [image(1, "a.png"), image(2, "b.png")],
        "categories": [{"id": i, "name": name} for i, name in categories],
        "annotations": annotations,
    }
    return write(folder / "boxes.json", json.dumps(data))


def read(folder):
    heard = Heard()
    return read_boxes(open_dataset(folder, labels="images"), messages=heard), heard


@pytest.fixture
def folder(tmp_path):
    return pictures(tmp_path)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"images": [image(1, "a.png"), image(1, "b.png")]}, "image id 1 twice, for 'a.png' and 'b.png'"),
        ({"images": [image(1, "a.png"), image(1, "a.png")]}, "image id 1 twice"),
        ({"images": [image(1, "a.png"), image(2, "a.png", (30, 51))]}, "'a.png' twice, with two sizes"),
        ({"categories": ((1, "cat"), (1, "dog"))}, "category id 1 twice, for 'cat' and 'dog'"),
        ({"categories": ((1, "cat"), (2, " "))}, "category 2 has no name"),
    ],
)
def test_what_is_listed_twice_is_refused_by_every_reader(folder, lists, message):
    path = coco(folder, [annotation(1)], **lists)
    for reader in (lambda: read(folder), lambda: open_dataset(folder), lambda: read_objects(path)):
        with pytest.raises(BadInputError) as error:
            reader()
        assert message in str(error.value)


def test_masks_of_two_images_of_one_id_are_refused(folder):
    rows = [annotation(1, segmentation=RUNS)]
    path = coco(folder, rows, images=[image(1, "a.png"), image(1, "b.png")])
    with pytest.raises(BadInputError, match="image id 1 is listed twice"):
        coco_masks.read(path)


def test_one_picture_of_two_ids_has_the_objects_of_both(folder):
    images = [image(1, "a.png"), image(2, "b.png"), image(7, "a.png")]
    coco(folder, [annotation(1), annotation(2, image_id=7)], images=images)
    table, heard = read(folder)
    assert table.counts.tolist() == [2, 0]
    assert any("lists image 'a.png' under several ids" in text for text in heard.warned)


def test_categories_of_one_name_are_one_class(folder):
    path = coco(
        folder,
        [annotation(1, category=0), annotation(2, category=3), annotation(3, category=5)],
        categories=((5, "dog"), (0, "cat"), (3, "cat")),
    )
    table, heard = read(folder)
    assert table.classes.names == ("background", "cat", "dog") and table.of(0).class_ids.tolist() == [1, 1, 2]
    assert any("2 categories named 'cat' (ids 0, 3), joined" in text for text in heard.warned)
    dataset = open_dataset(folder, messages=heard)
    assert dataset.classes.names == table.classes.names and dataset.labels.tolist() == [[0, 1, 1], [0, 0, 0]]
    objects = read_objects(path)
    assert objects.categories == {0: "cat", 5: "dog"} and objects.classes.tolist() == [0, 0, 5]


def test_a_mark_that_every_mask_has_means_nothing(folder):
    coco(folder, [annotation(1, segmentation=RUNS, iscrowd=1), annotation(2)])
    table, heard = read(folder)
    assert table.counts.tolist() == [2, 0] and np.array_equal(table.truth(0)[0], MASK)
    assert any("1 masks" in text and "are marked iscrowd, as every mask" in text for text in heard.warned)


def test_a_mask_that_cvat_marked_is_an_object(folder):
    brush = annotation(1, segmentation=RUNS, iscrowd=1, attributes={"occluded": False})
    crowd = annotation(3, segmentation=RUNS, iscrowd=1)
    coco(folder, [brush, annotation(2, segmentation=CORNERS), crowd])
    table, heard = read(folder)
    assert table.of(0).ids.tolist() == [1, 2] and table.dropped == {"crowd region": 1}
    assert any("1 masks" in text and "as CVAT marks" in text for text in heard.warned)


def test_crowds_beside_single_objects_are_crowds(folder):
    coco(folder, [annotation(1, segmentation=RUNS, iscrowd=1), annotation(2, segmentation=CORNERS)])
    table, heard = read(folder)
    assert table.of(0).ids.tolist() == [2] and table.dropped == {"crowd region": 1}
    assert not any("iscrowd" in text for text in heard.lines)


@pytest.mark.parametrize(
    ("ids", "expected"), [((0, 1, 2), [3, 1, 2]), ((7, 0), [7, 8]), ((0,), [1]), ((0, 0), [1, 2]), ((), [])]
)
def test_no_object_is_written_with_the_id_0(tmp_path, ids, expected):
    objects = tuple(Instance.of("cat", MASK, (4, 3, 20, 9), number, (0, 0, 50, 30)) for number in ids)
    classes = ClassList(("background", "cat"), 0)
    write_instances([AnnotatedImage("a.png", (30, 50), objects)], tmp_path / "o.json", classes)
    assert [a["id"] for a in json.loads((tmp_path / "o.json").read_text())["annotations"]] == expected


def test_the_id_0_is_read_as_it_is(folder):
    coco(folder, [annotation(0), annotation(1), annotation(2)])
    table, heard = read(folder)
    assert table.of(0).ids.tolist() == [0, 1, 2] and not heard.warned


def test_results_take_the_first_id_of_a_name(folder, tmp_path):
    like = coco(folder, [], categories=((4, "cat"), (2, "cat"), (3, "dog")))
    one = Instance.of("cat", MASK, (4, 3, 20, 9), 5, (0, 0, 50, 30))
    images = [AnnotatedImage("b.png", (30, 50), (one,))]
    write_instances(images, tmp_path / "o.json", ClassList(("background", "cat"), 0), like)
    (written,) = json.loads((tmp_path / "o.json").read_text())["annotations"]
    assert (written["image_id"], written["category_id"], written["id"]) == (2, 2, 5)
