"""Opening data folders: the pack layout, its views and splits, and every way to be wrong."""

import json
import unicodedata

import numpy as np
import pytest

from tests.data.folders import mask, picture, write
from tests.messages import Heard
from wsstool.data.dataset import open_dataset
from wsstool.data.listing import Lookup
from wsstool.errors import BadInputError, MissingInputError, UsageError


@pytest.fixture
def pack(tmp_path):
    """Three pictures with tags, masks, a class list, splits and a second view."""
    for stem in ("b", "a", "c"):
        picture(tmp_path / f"images/{stem}.jpg")
        mask(tmp_path / f"masks/{stem}.png", 2)
    mask(tmp_path / "masks_objects/a.png", 1)
    write(tmp_path / "classes.txt", "0 background\n1 cat\n2 dog\n")
    write(tmp_path / "labels.csv", "image,labels\nb.jpg,dog\na.jpg,cat dog\nc.jpg,\n")
    write(tmp_path / "classes_objects.txt", "0 background\n1 thing\n")
    write(tmp_path / "labels_objects.csv", "image,labels\na.jpg,thing\nb.jpg,\nc.jpg,\n")
    write(tmp_path / "splits/train.txt", "c\na\n")
    write(tmp_path / "boxes.json", "{}")
    return tmp_path


def test_pack(pack):
    data = open_dataset(pack)
    assert data.layout == "table" and len(data) == 3
    assert data.names == ("images/a.jpg", "images/b.jpg", "images/c.jpg")
    assert data.classes.names == ("background", "cat", "dog") and data.classes.background == 0
    assert data.labels.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]] and data.labels.dtype == np.uint8
    assert data.mask_path(1) == pack / "masks/b.png"
    assert (data.mask(1) == 2).all()
    assert data.sizes().tolist() == [[4, 5]] * 3 and data.sizes().dtype == np.int32


def test_second_view(pack):
    data = open_dataset(pack, labels="labels_objects.csv", class_list="classes_objects.txt")
    assert data.classes.names == ("background", "thing")
    assert data.labels.tolist() == [[0, 1], [0, 0], [0, 0]]
    assert data.mask_path(0) == pack / "masks_objects/a.png"
    assert data.mask_path(1) is None  # never the mask of the other view
    alone = open_dataset(pack, labels="labels_objects.csv")
    assert alone.classes == data.classes and alone.masks == data.masks


def test_masks_by_name(pack):
    mask(pack / "strict/b.png", 0)
    assert open_dataset(pack, masks="strict").mask_path(1) == pack / "strict/b.png"
    assert open_dataset(pack, masks=str(pack / "strict")).mask_path(0) is None
    with pytest.raises(MissingInputError, match="no mask folder 'gone'"):
        open_dataset(pack, masks="gone")


def test_splits(pack):
    assert open_dataset(pack, split="train").names == ("images/a.jpg", "images/c.jpg")
    write(pack / "mine.txt", "b.jpg\n")
    assert open_dataset(pack, split=str(pack / "mine.txt")).names == ("images/b.jpg",)
    assert open_dataset(pack, split="splits/train.txt").labels.tolist() == [[0, 1, 1], [0, 0, 0]]
    with pytest.raises(UsageError, match=r"no split 'test'.*train"):
        open_dataset(pack, split="test")
    with pytest.raises(MissingInputError, match=r"no split file 'gone\.txt'"):
        open_dataset(pack, split="gone.txt")


def test_split_by_folder(tmp_path):
    for name in ("train/1.png", "val/2.png"):
        picture(tmp_path / "images" / name)
        mask(tmp_path / "masks" / name)
    data = open_dataset(tmp_path, split="val")
    assert data.names == ("images/val/2.png",) and data.labels is None and data.layout == "images"
    assert data.mask_path(0) == tmp_path / "masks/val/2.png"


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        ("zzz\n", MissingInputError, "lists 'zzz', but there is no such image"),
        ("../d\n", MissingInputError, "there is no such image"),
        ("\n", BadInputError, "lists no images"),
    ],
)
def test_bad_split(pack, lines, error, message):
    write(pack / "splits/odd.txt", lines)
    with pytest.raises(error, match=message):
        open_dataset(pack, split="odd")


def test_subset(pack):
    part = open_dataset(pack).subset([2, 0])
    assert part.names == ("images/c.jpg", "images/a.jpg")
    assert part.labels.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert part.path(1) == pack / "images/a.jpg"


def test_bare_pictures(tmp_path):
    picture(tmp_path / "x.png")
    picture(tmp_path / "sub/y.png")
    picture(tmp_path / ".hidden.png")
    mask(tmp_path / "masks/x.png")
    write(tmp_path / "notes.txt", "no picture")
    data = open_dataset(tmp_path)
    assert data.names == ("sub/y.png", "x.png") and data.labels is None and len(data.classes) == 0
    assert data.mask_path(1) == tmp_path / "masks/x.png" and data.mask_path(0) is None


def test_odd_file_names(tmp_path):
    names = ["zwei\nzeilen.png", "häß lich 日本.png", "l" * 240 + ".png", "UPPER.PNG", "a.b.c.png"]
    for name in names:
        picture(tmp_path / name)
    assert open_dataset(tmp_path).names == tuple(sorted(names))
    write(tmp_path / "labels.csv", "image,labels\n" + "".join(f'"{n}",cat\n' for n in names))
    assert open_dataset(tmp_path).labels[:, 1].all()


def test_unreadable_pictures_have_no_size(pack):
    (pack / "images/b.jpg").write_bytes(b"broken")
    assert open_dataset(pack).sizes().tolist() == [[4, 5], [0, 0], [4, 5]]


def test_file_name_that_is_not_text(tmp_path):
    try:
        picture(tmp_path / "a.png").rename(tmp_path / "\udcff.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses such names")
    with pytest.raises(BadInputError, match="not valid UTF-8"):
        open_dataset(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(MissingInputError, match="no folder"):
        open_dataset(tmp_path / "gone")
    with pytest.raises(MissingInputError, match="no images in"):
        open_dataset(tmp_path)


def test_two_images_of_one_name(pack):
    picture(pack / "images/a.png")
    with pytest.raises(
        BadInputError,
        match=r"two images have the same name except for the suffix: 'images/a\.jpg' and 'images/a\.png'",
    ):
        open_dataset(pack)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (
            "a.jpg,cow\nb.jpg,\nc.jpg,\n",
            BadInputError,
            r"the label 'cow' of image 'images/a\.jpg' in .* is not in the class list",
        ),
        (
            "a.jpg,cat\nb.jpg,\nc.jpg,\nd.jpg,cat\ne.jpg,\n",
            MissingInputError,
            r"no image 'd\.jpg' and 1 more, listed in",
        ),
        ("a.jpg,cat\n", BadInputError, r"no labels for image 'images/b\.jpg' and 1 more"),
        ("a.jpg,cat\nimages/a.jpg,cat\n", BadInputError, "an image is listed twice"),
        ("../d.jpg,cat\n", MissingInputError, r"no image '../d\.jpg', listed in"),
        ("/etc/d.jpg,cat\n", MissingInputError, r"no image '/etc/d\.jpg', listed in"),
        (",cat\n", BadInputError, "empty image name"),
        ("a.jpg\n", BadInputError, "different numbers of columns"),
    ],
)
def test_bad_labels(pack, rows, error, message):
    write(pack / "labels.csv", "image,labels\n" + rows)
    with pytest.raises(error, match=message):
        open_dataset(pack)


def test_labels_of_other_splits_may_be_absent(pack):
    (pack / "images/b.jpg").unlink()
    assert len(open_dataset(pack, split="train")) == 2


def test_name_that_fits_several_images(tmp_path):
    for folder in ("x", "y"):
        picture(tmp_path / f"images/{folder}/1.png")
    write(tmp_path / "labels.csv", "image,labels\n1.png,cat\n")
    with pytest.raises(BadInputError, match=r"matches several images: images/x/1\.png, images/y/1\.png"):
        open_dataset(tmp_path)
    write(tmp_path / "labels.csv", "image,labels\nx/1.png,cat\nimages/y/1,dog\n")
    assert open_dataset(tmp_path).labels.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_several_label_files(pack):
    write(pack / "labels.tsv", "image\tlabels\n")
    with pytest.raises(UsageError, match=r"table \(labels\.csv\), table \(labels\.tsv\)"):
        open_dataset(pack)
    assert open_dataset(pack, labels="labels.csv").layout == "table"


def test_missing_label_file_or_class_list(pack):
    with pytest.raises(MissingInputError, match=r"no label file 'gone\.csv'"):
        open_dataset(pack, labels="gone.csv")
    with pytest.raises(MissingInputError, match=r"no class list 'gone\.txt'"):
        open_dataset(pack, class_list="gone.txt")


def test_mask_of_another_size_or_with_unknown_values(pack):
    mask(pack / "masks/a.png", 1, (5, 4))
    with pytest.raises(BadInputError, match=r"a\.png.*has 4 x 5 pixels, its image 5 x 4"):
        open_dataset(pack).mask(0)
    mask(pack / "masks/a.png", 9)
    with pytest.raises(BadInputError, match="class 9"):
        open_dataset(pack).mask(0)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_are_composed_or_not(tmp_path, form):
    """Tables, splits, class folders and masks may spell names in another form than the images."""
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    name, theirs = (unicodedata.normalize(one, "b\u00e4r") for one in (form, other))
    picture(tmp_path / f"images/{name}.png")
    mask(tmp_path / f"masks/{theirs}.png", 1)
    write(tmp_path / "labels.csv", f"image,labels\n{theirs}.png,{theirs}\n")
    write(tmp_path / "classes.txt", f"0 background\n1 {name}\n")
    write(tmp_path / "splits/few.txt", f"{theirs}\n")
    data = open_dataset(tmp_path, split="few")
    assert data.names == (f"images/{name}.png",) and data.labels.tolist() == [[0, 1]]
    assert (data.mask(0) == 1).all()
    assert Lookup([f"{theirs}.png", f"{name}.png"]).find(f"{name}.png", "a table") == 1


def test_rows_of_one_image_are_united(pack):
    write(pack / "labels.csv", "image,labels\na.jpg,dog\na.jpg,cat\nb.jpg,dog\nc.jpg,\n")
    heard = Heard()
    data = open_dataset(pack, messages=heard)
    assert data.labels.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert "has 4 rows for 3 images; rows of one image, such as 'a.jpg', are united" in heard.text


def test_a_label_file_that_names_no_split_is_not_the_list_of_any(tmp_path):
    """Labels beside lists of splits were taken for the list of a misspelt one: all images were used."""
    picture(tmp_path / "images/a.png")
    content = {"images": [{"id": 1, "file_name": "a.png", "width": 5, "height": 4}], "categories": []}
    for name in ("boxes.json", "instances_val2017.json"):
        (tmp_path / name).write_text(json.dumps(content | {"annotations": []}))
    with pytest.raises(UsageError, match="no split 'nonsense'"):
        open_dataset(tmp_path, labels="boxes.json", split="nonsense")
    assert open_dataset(tmp_path, labels="instances_val2017.json", split="val").names == ("images/a.png",)
