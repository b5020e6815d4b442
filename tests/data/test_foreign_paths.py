"""Image names as another machine wrote them find the pictures that are here, and only those."""

import json

import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.listing import Lookup
from wsstool.data.names.trailing_paths import by_trailing_path
from wsstool.errors import BadInputError, MissingInputError

FOREIGN = [
    "images\\a.png",
    "..\\images\\a.png",
    "../images/a.png",
    "train2017/a.png",
    "images/1/a.png",
    "/home/me/set/images/a.png",
    "C:\\set\\a.png",
    "c:/set/a",
    "\\\\server\\share\\a.png",
    "file:///home/me/a.png",
]


def coco(path, *names):
    data = {
        "images": [
            {"id": k, "file_name": name, "width": 50, "height": 30} for k, name in enumerate(names, 1)
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 1, "bbox": [k, 2, 9, 9]} for k in range(1, len(names) + 1)
        ],
    }
    return write(path, json.dumps(data))


def boxes(root, *names, **options):
    heard = Heard()
    table = read_boxes(
        open_dataset(root, labels="images", **options), coco(root / "boxes.json", *names), messages=heard
    )
    return table, heard


@pytest.mark.parametrize("name", FOREIGN)
def test_a_box_file(tmp_path, name):
    picture(tmp_path / "images/a.png", (30, 50))
    picture(tmp_path / "images/b.png", (30, 50))
    table, heard = boxes(tmp_path, name)
    assert table.counts.tolist() == [1, 0]
    assert heard.warned == [
        f"1 images of COCO file {str(tmp_path / 'boxes.json')!r} are matched by trailing path or bare name, "
        f"such as {name!r} with 'images/a.png'"
    ]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_label_file_and_a_split(tmp_path, name):
    picture(tmp_path / "images/a.png")
    picture(tmp_path / "images/b.png")
    write(tmp_path / "labels.csv", f'image,labels\n"{name}",cat\n/x/b.png,dog\n')
    write(tmp_path / "splits/train.txt", f"{name}\n")
    heard = Heard()
    data = open_dataset(tmp_path, split="train", messages=heard)
    assert data.names == ("images/a.png",) and data.labels.tolist() == [[0, 1, 0]]
    assert sum("matched by trailing path or bare name" in text for text in heard.warned) == 2


def test_the_longest_trailing_path_decides(tmp_path):
    for name in ("train/a.png", "val/a.png", "b.png"):
        picture(tmp_path / "images" / name, (30, 50))
    table, _ = boxes(tmp_path, "/home/me/val/a.png", "D:\\set\\train\\a.png", "D:\\x\\b.png")
    # in the order of the images: b, train/a, val/a
    assert [one.xyxy[0, 0] for one in table.boxes] == [3, 2, 1]


def test_a_name_that_fits_several_images_or_an_image_that_several_names_fit_is_not_guessed(tmp_path):
    for name in ("p/a.png", "q/a.png", "b.png", "c.png"):
        picture(tmp_path / "images" / name, (30, 50))
    table, heard = boxes(tmp_path, "x/a.png", "x/b.png", "y/b.png", "c.png", "z/c.png")
    assert table.counts.sum() == 1 and table.dropped == {"its image is not there": 4}
    assert "lists 4 images that are not in the data folder" in heard.warned[0]


def test_an_image_outside_the_split_is_not_taken_for_one_inside(tmp_path):
    for name in ("train/a.png", "val/a.png"):
        picture(tmp_path / "images" / name, (30, 50))
    names = ("/home/me/val/a.png", "/home/me/train/a.png")
    table, _ = boxes(tmp_path, *names, split="train")
    assert [one.xyxy[0, 0] for one in table.boxes] == [2] and not table.dropped
    table, _ = boxes(tmp_path, "/home/me/a.png", split="train")  # of the two only one is asked for
    assert table.counts.tolist() == [1]


def test_nothing_fits(tmp_path):
    picture(tmp_path / "images/a.png", (30, 50))
    with pytest.raises(BadInputError, match=r"none of the 1 images: it has 'x/b\.png', .* 'images/a\.png'"):
        boxes(tmp_path, "x/b.png")
    write(tmp_path / "labels.csv", "image,labels\nx/b.png,cat\n")
    with pytest.raises(MissingInputError, match=r"no image 'x/b\.png'"):
        open_dataset(tmp_path, labels="labels.csv")


def test_names_that_are_here_come_first():
    lookup = Lookup(["images/a.png", "images/b.png"])
    assert lookup.find_all(["a", "/x/a.png", "/x/b"], "x") == {"a": 0, "/x/b": 1}
    assert by_trailing_path(["", "..", "/"], ["a.png"], ()) == {}
