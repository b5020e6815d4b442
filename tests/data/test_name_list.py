"""Lists of image names in place of a walk of the folder."""

import io

import pytest

from tests.data.folders import picture, write
from wsstool.data.dataset import open_dataset
from wsstool.data.name_list import read_name_list
from wsstool.errors import BadInputError, MissingInputError, UsageError


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/a.png", "cat/b.png", "dog/a.png", "emu/x.png", "masks/m.png", "a.png"):
        picture(tmp_path / "data" / name)
    return tmp_path / "data"


def listed(folder, text):
    return read_name_list(write(folder.parent / "list.txt", text))


def test_names_are_sorted_and_keep_their_lines(folder):
    found = listed(folder, "\ufeffdog/a.png\r\n\n./cat//b.png\n")
    assert found.names == ("cat/b.png", "dog/a.png")
    assert found.lines == {"dog/a.png": 1, "cat/b.png": 3}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a.png\nb.png\na.png\n", "lines 1 and 3 of '.*' name the same image, 'a.png'"),
        ("a.png\n./a.png\n", "lines 1 and 2"),
        ("a.png\na.jpg\n", "two images have the same name except for the suffix"),
        ("a.png\n/etc/a.png\n", "line 2 of '.*' names '/etc/a.png', which is outside"),
        ("../a.png\n", "outside the data folder"),
        ("x/../../a.png\n", "outside the data folder"),
        ("labels.csv\n", "line 1 of '.*' names 'labels.csv', which has no ending of an image"),
        ("\n  \n", "lists no images"),
        ("", "lists no images"),
    ],
)
def test_what_is_no_list(folder, text, sentence):
    with pytest.raises(BadInputError, match=sentence):
        listed(folder, text)


def test_files_that_are_no_list(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfea.png")
    with pytest.raises(BadInputError, match="cannot be read as a list"):
        read_name_list(tmp_path / "binary")
    with pytest.raises(BadInputError, match="is a folder"):
        read_name_list(tmp_path)
    with pytest.raises(MissingInputError, match="there is no list"):
        read_name_list(tmp_path / "none.txt")


def test_standard_input(monkeypatch):
    class Given(io.BytesIO):
        buffer = property(lambda self: self)

    monkeypatch.setattr("sys.stdin", Given(b"b.png\na.png"))
    assert read_name_list("-").names == ("a.png", "b.png")


def test_an_image_that_is_not_there(folder):
    names = listed(folder, "cat/a.png\ncat/z.png\n")
    dataset = open_dataset(folder, name_list=names)
    with pytest.raises(MissingInputError, match=r"line 2 of '.*' names 'cat/z.png', but there is no such"):
        dataset.sizes()
    assert dataset.subset([0]).sizes().tolist() == [[4, 5]]  # a shard looks for its own images only


def test_the_folder_is_not_walked(folder, monkeypatch):
    monkeypatch.setattr("wsstool.data.listing._walk", lambda start: pytest.fail("walked"))
    assert open_dataset(folder, name_list=listed(folder, "cat/a.png\ndog/a.png\n")).names == (
        "cat/a.png",
        "dog/a.png",
    )


def test_one_class_folder_still_has_the_classes_of_all(folder):
    (folder / "a.png").unlink()
    whole, part = open_dataset(folder), open_dataset(folder, name_list=listed(folder, "cat/b.png\n"))
    assert part.classes == whole.classes
    assert part.layout == whole.layout == "class-folders"
    assert part.labels.tolist() == [whole.labels[whole.names.index("cat/b.png")].tolist()]


def test_labels_of_other_images_are_no_error(folder):
    write(folder / "labels.csv", "image,labels\na.png,emu\ncat/a.png,cat\ndog/a.png,dog\n")
    write(folder / "classes.txt", "cat\ndog\nemu\n")
    found = open_dataset(folder, name_list=listed(folder, "dog/a.png\n"))
    assert found.labels.tolist() == [[0, 1, 0]]  # not those of a.png, which is another image


def test_paths_of_another_machine_must_hold_the_whole_name(folder):
    write(folder / "labels.csv", "image,labels\n/home/me/cat/a.png,cat\n/home/me/dog/a.png,dog\n")
    write(folder / "classes.txt", "cat\ndog\n")
    found = open_dataset(folder, name_list=listed(folder, "dog/a.png\n"))
    assert found.labels.tolist() == [[0, 1]]


def test_a_split_takes_those_of_the_list_that_are_in_it(folder):
    write(folder / "splits/some.txt", "cat/a\ndog/a\n")
    names = listed(folder, "cat/a.png\ncat/b.png\n")
    assert open_dataset(folder, split="some", labels="images", name_list=names).names == ("cat/a.png",)
    with pytest.raises(BadInputError, match="lists none of the images that are used"):
        open_dataset(folder, split="some", labels="images", name_list=listed(folder, "cat/b.png\n"))


def test_a_picture_has_no_list(folder):
    with pytest.raises(UsageError, match="--files-from lists images of a folder"):
        open_dataset(folder / "a.png", name_list=listed(folder, "a.png\n"))
