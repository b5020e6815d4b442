"""Class names in the ``data.yaml`` of a YOLO folder, in every way that YAML can say them."""

import pytest

from tests.data.folders import write
from wsstool.data.formats import yolo
from wsstool.data.geometry.instances import AnnotatedImage
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def names(folder, text):
    """The class names of a folder with this ``data.yaml`` and boxes of the classes 0 and 1."""
    write(folder / "labels" / "a.txt", "0 .5 .5 .2 .2\n1 .5 .5 .2 .2\n")
    write(folder / "data.yaml", text)
    found = yolo.read_boxes(folder / "labels")
    return [row.name for row in found.rows], [found.classes.names[i] for i in found.classes.foreground]


PEOPLE = ["person", "bicycle"]


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\nnames:\n  0: person\n  1: 'bicycle'\n",
        "names:\n  0: person\n  # two wheels\n\n  1: bicycle  # no motor\n",
        "names: {0: person, 1: bicycle}\n",
        'names:\n  "0": person\n  "1": bicycle\n',
        "names:\n- person\n- bicycle\n",
        "names: [person,\n  bicycle]\n",
        "names:\n  1: bicycle\n  0: person\ntrain: images\n",
    ],
)
def test_every_form(tmp_path, text):
    assert names(tmp_path, text) == (PEOPLE, PEOPLE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: ['a, b', c]\n", ["a, b", "c"]),
        ("names: [no, 1.50]\n", ["no", "1.50"]),
        ("names: {0: cat, 2: dog}\n", ["cat", "class-1", "dog"]),
        ("names: data/coco.names\n", ["class-0", "class-1"]),
        ("nc: 2\n", ["class-0", "class-1"]),
        ("- only\n- a list\n", ["class-0", "class-1"]),
        ("", ["class-0", "class-1"]),
    ],
)
def test_names_are_what_is_written(tmp_path, text, expected):
    assert names(tmp_path, text)[1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "names: [a, [b]]\n",
        "names: {cat: 0}\n",
        "names: {-1: cat}\n",
        "names: {99999999999: cat}\n",
        "names: [a\nb: {\n",
        "names: " + "[" * 100_000,
    ],
)
def test_other_things_are_refused(tmp_path, text):
    with pytest.raises(BadInputError, match=r"data\.yaml"):
        names(tmp_path, text)


def test_nothing_in_it_is_run(tmp_path):
    text = f"names: !!python/object/apply:os.mkdir [{tmp_path}/made]\n"
    names(tmp_path, text)
    assert not (tmp_path / "made").exists()


def test_names_that_are_written_are_read_back(tmp_path):
    spelled = ("no", "1.5", "a: b", "it's", "#x", 'say "x"', "größe", "- y", "{z}")
    yolo.write([AnnotatedImage("a.png", (4, 4), ())], tmp_path / "out", ClassList(spelled, background=-1))
    found = yolo.read_boxes(tmp_path / "out" / "labels")
    assert tuple(found.classes.names[i] for i in found.classes.foreground) == spelled
