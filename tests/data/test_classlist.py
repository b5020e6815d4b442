"""Class lists in their spellings, with and without background."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsstool.data.classlist import read_class_list, with_background, write_class_list
from wsstool.data.label_views import find_view
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList


def read(tmp_path, text, name="classes.txt"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_class_list(tmp_path / name)


def test_indexed_lines(tmp_path):
    assert read(tmp_path, "0 stroma\n1 benign_gland\n") == ClassList(("stroma", "benign_gland"))
    assert read(tmp_path, "1 potted plant\n0 background\n") == ClassList(("background", "potted plant"), 0)
    assert read(tmp_path, "0 a 1 2 3\n1 b 4 5 6\n").palette == ((1, 2, 3), (4, 5, 6))


def test_a_list_from_one_leaves_zero_to_the_background(tmp_path):
    assert read(tmp_path, "1 cat\n2 dog\n") == ClassList(("background", "cat", "dog"), 0)


def test_names_alone(tmp_path):
    assert read(tmp_path, "\ufeff# classes\ncat\n\ndog 9 9 9\n".replace(" 9 9 9", "")) == ClassList(
        ("cat", "dog")
    )
    assert read(tmp_path, "cat\n__background__\n").background == 1


def test_index_255_is_no_class(tmp_path):
    assert read(tmp_path, "0 background\n1 cat\n255 void\n").names == ("background", "cat")


@pytest.mark.parametrize(
    "data",
    [
        ["background", "cat"],
        {"0": "background", "1": "cat"},
        {"names": ["background", "cat"]},
        {"categories": [{"id": 17, "name": "cat", "supercategory": "animal"}]},
        {"background": 0, "cat": 1},
        {"cat": 1},
    ],
)
def test_json(tmp_path, data):
    assert read(tmp_path, json.dumps(data), "classes.json") == ClassList(("background", "cat"), 0)


def test_json_of_names_and_colours(tmp_path):
    text = '{"stroma": [0, 255, 0], "gland": [9, 9, 9]}'
    assert read(tmp_path, text, "c.json") == ClassList(("stroma", "gland"), -1, ((0, 255, 0), (9, 9, 9)))


def test_names_joined_by_commas(tmp_path):
    assert find_view(tmp_path, class_list="background,cat, potted plant").classes == ClassList(
        ("background", "cat", "potted plant"), 0
    )
    (tmp_path / "a,b").write_text("cow\n")
    assert find_view(tmp_path, class_list="a,b").classes.names == ("cow",)
    for text, message in (("cat,,dog", "empty name"), ("cat,cat", "'cat' twice")):
        with pytest.raises(BadInputError, match=message):
            find_view(tmp_path, class_list=text)
    with pytest.raises(MissingInputError, match="no class list 'cat'"):
        find_view(tmp_path, class_list="cat")


@pytest.mark.parametrize(
    ("text", "is_noted"),
    [("1 cat\n2 dog\n", True), ("0 background\n1 cat\n", False), ("cat\ndog\n", False), ("0 cat\n", False)],
)
def test_a_background_that_is_added_is_reported(tmp_path, text, is_noted):
    (tmp_path / "classes.txt").write_text(text)
    for options in ({}, {"class_list": "classes.txt"}):
        notes = find_view(tmp_path, **options).notes
        assert bool(notes) == is_noted
        assert all("is numbered from 1, so class 0 is the background" in note for note in notes)


def test_names_are_composed(tmp_path):
    assert read(tmp_path, "ba\u0308r\n").names == ("b\u00e4r",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no class"),
        ("0 cat\n0 dog\n", "index 0 twice"),
        ("0 cat\n2 dog\n", "has no index 1"),
        ("0 cat\n1 cat\n", "'cat' twice"),
        ("0 cat\ndog\n", "index for only 1 of 2"),
        ("0 cat 1 2 3\n1 dog\n", "colour for only 1 of 2"),
        ("\n".join(f"c{i}" for i in range(256)), "256 classes"),
    ],
)
def test_bad_lists(tmp_path, text, message):
    with pytest.raises(BadInputError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "3",
        '{"cat": "dog"}',
        '{"cat": [1, 2]}',
        '{"cat": 1.5}',
        "[[1]]",
        '[{"name": "cat"}]',
        '{"names": ["a"], "palette": [[1, 2]]}',
        "null",
    ],
)
def test_bad_json(tmp_path, text):
    with pytest.raises(BadInputError):
        read(tmp_path, text, "classes.json")


def test_missing_or_binary(tmp_path):
    with pytest.raises(MissingInputError):
        read_class_list(tmp_path / "gone.txt")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError):
        read_class_list(tmp_path / "b.txt")


NAMES = st.lists(
    st.from_regex(r"[a-z][a-z_ ]{0,8}[a-z]", fullmatch=True), min_size=1, max_size=9, unique=True
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, coloured=st.booleans())
def test_round_trip(tmp_path, names, coloured):
    palette = tuple((i, 255 - i, 7) for i in range(len(names) + 1)) if coloured else ()
    classes = ClassList(("background", *names), 0, palette)
    write_class_list(tmp_path / "classes.txt", classes)
    assert read_class_list(tmp_path / "classes.txt") == classes


def test_with_background():
    assert with_background(["cat"]).names == ("background", "cat")
    assert with_background(["cat", "Background"]) == ClassList(("cat", "Background"), 1)
