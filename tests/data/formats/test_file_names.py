"""Tags in file names: how many there may be, which set they belong to, and what is said about it."""

import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.dataset import open_dataset
from wsstool.data.known_classes import BCSS_CLASSES, LUAD_CLASSES
from wsstool.errors import BadInputError, UsageError


def opened(root, **options):
    heard = Heard()
    return open_dataset(root, messages=heard, **options), heard.lines


@pytest.mark.parametrize("options", [{}, {"class_list": "luad"}])
@pytest.mark.parametrize("first", ["a", "z"])
def test_a_tag_too_many_is_refused_not_cut(tmp_path, options, first):
    picture(tmp_path / "m-[1 0 0 1].png")
    picture(tmp_path / "n-[0 0 1 1].png")
    picture(tmp_path / f"{first}-[1 0 0 1 1].png")
    with pytest.raises(
        BadInputError, match=rf"'{first}-\[1 0 0 1 1\]\.png' has tags for 5 classes, but there are 4: TE, "
    ):
        open_dataset(tmp_path, **options)


def test_a_tag_for_the_background_of_ones_own_list_is_refused(tmp_path):
    picture(tmp_path / "m-[1 0 1].png")
    write(tmp_path / "classes.txt", "0 background\n1 gland\n2 stroma\n")
    with pytest.raises(BadInputError, match=r"has tags for 3 classes, but there are 2: gland, stroma"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "classes", "says"),
    [
        (
            "p-[1 0 0 1].png",
            LUAD_CLASSES,
            "like [1 0 0 1], so the classes of LUAD-HistoSeg are used: TE, ",
        ),
        ("p-[1,0,0,1].png", LUAD_CLASSES, "LUAD-HistoSeg"),
        ("p+0[1101].png", BCSS_CLASSES, "like [1001], so the classes of BCSS-WSSS are used: TUM, STR, LYM"),
    ],
)
def test_the_set_that_is_taken_is_said_with_the_way_out(tmp_path, name, classes, says):
    picture(tmp_path / name)
    data, texts = opened(tmp_path)
    assert data.classes == classes
    assert len(texts) == 1 and says in texts[0] and "--class-list" in texts[0]
    data, texts = opened(tmp_path, class_list="bcss")
    assert data.classes == BCSS_CLASSES and texts == []


def test_other_numbers_of_tags_get_numbers_for_names(tmp_path):
    picture(tmp_path / "p-[1 0 1].png")
    data, texts = opened(tmp_path)
    assert data.classes.names == ("class-0", "class-1", "class-2")
    assert texts == ["the file names have tags for 3 classes; name the classes with --class-list"]


def test_both_spellings_are_two_sets_unless_the_classes_are_named(tmp_path):
    picture(tmp_path / "p-[1 0 0 1].png")
    picture(tmp_path / "q+0[1101].png")
    with pytest.raises(
        BadInputError,
        match=r"two forms, such as 'p-\[1 0 0 1\]\.png' and 'q\+0\[1101\]\.png', .*name .* --class-list",
    ):
        open_dataset(tmp_path)
    data, texts = opened(tmp_path, class_list="luad")
    assert data.labels.tolist() == [[1, 0, 0, 1, 0], [1, 1, 0, 1, 0]]
    assert len(texts) == 1 and "two forms" in texts[0] and "order of the class list" in texts[0]


@pytest.mark.parametrize(
    ("name", "end"),
    [("q-[1 0 0 1", "[1 0 0 1"), ("q-[1001", "[1001"), ("q-1 0 0 1]", "1 0 0 1]"), ("q-[", "[")],
)
def test_a_bracket_that_is_missing(tmp_path, name, end):
    picture(tmp_path / "p-[1 0 0 0].png")
    picture(tmp_path / f"{name}.png")
    with pytest.raises(BadInputError) as error:
        open_dataset(tmp_path, untagged=True)
    assert str(error.value) == (
        f"the file name '{name}.png' ends in '{end}', which is not a tag: tags are digits 0 and 1 in brackets"
    )


def test_the_folder_of_the_images_is_no_split(tmp_path):
    picture(tmp_path / "images/train/a.png")
    picture(tmp_path / "img.png")
    with pytest.raises(UsageError, match=r"there are: train$"):
        open_dataset(tmp_path, split="test")
