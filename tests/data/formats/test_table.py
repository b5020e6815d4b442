"""Label tables in their spellings."""

import csv
import json

import pytest

from tests.data.folders import write
from wsstool.data.formats.tags import table
from wsstool.data.groups import read_groups
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

EXPECTED = {"a.jpg": ("cat", "dog"), "b.jpg": ("dog",), "c.jpg": ()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "image,labels\na.jpg,cat dog\nb.jpg,dog\nc.jpg,\n"),
        ("l.csv", "image,labels\na.jpg,cat;dog\nb.jpg,dog\nc.jpg,\n"),
        ("l.csv", "\ufeffImage,Tags,patient\r\na.jpg,cat|dog,1\r\nb.jpg,dog,2\r\nc.jpg,,3\r\n"),
        ("l.csv", 'file_name;labels\na.jpg;"cat,dog"\nb.jpg;dog\nc.jpg;\n'),
        ("l.csv", "image,cat,dog\na.jpg,1,1\nb.jpg,0,1.0\nc.jpg,,0\n"),
        ("l.tsv", "image\tlabels\na.jpg\tcat dog\nb.jpg\tdog\nc.jpg\t\n"),
        ("l.tsv", "image\tcat\tdog\na.jpg\t1\t1\nb.jpg\t0\t1\nc.jpg\t0\t0\n"),
        ("l.jsonl",
            '{"image":"a.jpg","labels":["cat","dog"]}\n\n'
            '{"image":"b.jpg","labels":"dog"}\n{"image":"c.jpg","labels":[]}\n'),
        ("l.jsonl",
            '{"image":"a.jpg","labels":{"cat":1,"dog":true}}\n'
            '{"image":"b.jpg","labels":{"cat":0,"dog":1}}\n'
            '{"image":"c.jpg","labels":{}}\n'),
    ],
)  # fmt: skip
def test_spellings_agree(tmp_path, name, text):
    tags = table.read(write(tmp_path / name, text))
    assert tags.rows == EXPECTED
    assert tags.classes == ClassList(("background", "cat", "dog"), 0)


CAT_DOG = {"a.jpg": ("cat", "dog"), "b.jpg": ("dog",), "c.jpg": ()}


@pytest.mark.parametrize(
    "cells",
    [
        ("\"['cat', 'dog']\"", "['dog']", "[]"),
        ('"[""cat"", ""dog""]"', '"[""dog""]"', "[]"),
        ("['cat' 'dog']", "['dog']", "[]"),  # numpy
        ("\"array(['cat', 'dog'], dtype=object)\"", "array(['dog'])", "array([])"),
        ("\"('cat', 'dog')\"", "\"('dog',)\"", "()"),
        ("\"{'cat', 'dog'}\"", "{'dog'}", "set()"),
        ('"[cat, dog]"', "[dog]", "[]"),
        ('"{cat,dog}"', "{dog}", "{}"),  # Postgres
        ("\"['cat', nan, 'dog', None]\"", "['dog']", "[None]"),
        ("cat;dog", "dog;", "nan"),
        ("cat; dog;cat", " dog ", "None"),
        ("'cat';'dog'", "'dog'", "<NA>"),
    ],
)
def test_lists_and_missing_values(tmp_path, cells):
    rows = "".join(f"{name},{cell}\n" for name, cell in zip(CAT_DOG, cells, strict=True))
    tags = table.read(write(tmp_path / "l.csv", "image,labels\n" + rows))
    assert tags.rows == CAT_DOG and tags.classes.names == ("background", "cat", "dog")
    split = [note for note in tags.notes if "is 'cat', " in note]
    assert len(split) == 1 and "'dog'" in split[0]
    is_missing = cells[2].lower() in ("nan", "none", "<na>")
    assert sum("count as no label" in note for note in tags.notes) == is_missing


@pytest.mark.parametrize(
    "text",
    [
        "image,label\na.jpg,cat\na.jpg,dog\nb.jpg,dog\nc.jpg,\n",
        "image,label\nb.jpg,dog\na.jpg,cat\nb.jpg,dog\na.jpg,dog\nc.jpg,nan\n",
        "filename,width,class,xmin\na.jpg,9,cat,1\na.jpg,9,dog,2\nb.jpg,9,dog,3\nc.jpg,9,,\n",
        ",image,label\n0,a.jpg,cat\n1,a.jpg,dog\n2,b.jpg,dog\n3,c.jpg,\n",
    ],
)
def test_a_row_for_each_image_and_label(tmp_path, text):
    tags = table.read(write(tmp_path / "l.csv", text))
    assert tags.rows == CAT_DOG
    assert [note for note in tags.notes if "rows of one image" in note]


@pytest.mark.parametrize(
    "head",
    [",image,cat,dog", "Unnamed: 0,image,cat,dog", "index,image,cat,dog", "row,image,cat,dog"],
)
def test_columns_that_number_the_rows(tmp_path, head):
    text = head + "\n0,a.jpg,1,1\n1,b.jpg,0,1.0\n2,c.jpg,nan,0\n"
    tags = table.read(write(tmp_path / "l.csv", text))
    assert tags.rows == CAT_DOG and tags.classes.names == ("background", "cat", "dog")
    assert any("1 cells such as 'nan' count as 0" in note for note in tags.notes)
    two = table.read(write(tmp_path / "l.csv", ",image,cat,dog\n0,a.jpg,1,1\n1,b.jpg,0,1\n"))
    assert two.rows == {"a.jpg": ("cat", "dog"), "b.jpg": ("dog",)}


def test_escapes_in_lists(tmp_path):
    names = ["b\u00e4r", "d'or", 'a "b"', "x\\y"]
    with (tmp_path / "l.csv").open("w", newline="") as file:
        cells = [("image", "labels"), ("a.jpg", json.dumps(names)), ("b.jpg", repr(names))]
        csv.writer(file).writerows(cells)
    tags = table.read(tmp_path / "l.csv")
    assert tags.rows == {"a.jpg": tuple(names), "b.jpg": tuple(names)}
    odd = table.read(write(tmp_path / "l.csv", "image,labels\na.jpg,\"['\\x', '\\N{no}']\"\n"))
    assert odd.rows == {"a.jpg": ("x", "N{no}")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.jpg,traffic light;car\nb.jpg,traffic light\n", {"traffic light", "car"}),
        ("a.jpg,traffic light|car\nb.jpg,traffic light\n", {"traffic light", "car"}),
        ('a.jpg,"traffic light, car"\nb.jpg,traffic light\n', {"traffic light", "car"}),
        ("a.jpg,traffic light car\nb.jpg,traffic light\n", {"traffic", "light", "car"}),
    ],
)
def test_one_separator_per_table(tmp_path, text, expected):
    tags = table.read(write(tmp_path / "l.csv", "image,labels\n" + text))
    assert {name for row in tags.rows.values() for name in row} == expected
    assert len(tags.notes) == 1 and tags.notes[0].startswith(
        "labels are read as several names where one cell"
    )


def test_two_separators(tmp_path):
    path = write(tmp_path / "l.csv", 'image,labels\na.jpg,"cat, domestic;dog"\nb.jpg,dog\n')
    with pytest.raises(
        BadInputError, match=r"has labels with ';' and ',', so what separates names is unclear"
    ):
        table.read(path)
    classes = ClassList(("cat, domestic", "dog"))
    assert table.read(path, classes).rows == {"a.jpg": ("cat, domestic", "dog"), "b.jpg": ("dog",)}


def test_names_of_the_class_list_decide(tmp_path):
    classes = ClassList(("b\u00e4r", "potted_plant", "traffic light", "None", "car"))
    rows = "a.jpg,traffic light potted plant car\nb.jpg,ba\u0308r\nc.jpg,None\nd.jpg,traffic light\n"
    tags = table.read(write(tmp_path / "l.csv", "image,labels\n" + rows), classes)
    assert tags.rows == {
        "a.jpg": ("traffic light", "potted_plant", "car"),
        "b.jpg": ("b\u00e4r",),
        "c.jpg": ("None",),
        "d.jpg": ("traffic light",),
    }
    assert not tags.notes


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", [True, False])
def test_delimiters_of_columns(tmp_path, delimiter, first):
    lines = ["image,labels", "a.jpg,cat dog", "b.jpg,dog", "c.jpg,"]
    text = "\r\n".join(line.replace(",", delimiter) for line in lines) + "\r\n"
    text = f"sep={delimiter}\r\n{text}" if first else text
    assert table.read(write(tmp_path / "l.csv", text)).rows == CAT_DOG


def test_a_name_with_spaces(tmp_path):
    classes = ClassList(("potted plant", "cat"))
    path = write(tmp_path / "l.csv", "image,labels\na.jpg,potted plant\nb.jpg,potted plant; cat\n")
    assert table.read(path, classes).rows == {"a.jpg": ("potted plant",), "b.jpg": ("potted plant", "cat")}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "", "fewer than two columns"),
        ("l.csv", "a.jpg\n", "fewer than two columns"),
        ("l.csv", "picture,labels\na.jpg,cat\n", "no column 'image'"),
        ("l.csv", "image,image\na.jpg,cat\n", "two columns of the same name"),
        ("l.csv", "image,cat\na.jpg,yes\n", "column 'cat' contains 'yes', not 0 or 1"),
        ("l.csv", 'image,labels\na.jpg,"[1, 0, 1]"\n', r"line 2: labels must be names, not '\[1, 0, 1\]'"),
        ("l.csv", "image,labels\na.jpg,\"{'cat': 1}\"\n", "line 2: labels must be names"),
        ("l.csv", "image,cat\na.jpg,1\na.jpg,0\n", r"lists image 'a\.jpg' twice \(line 3\)"),
        ("l.jsonl", "{", "line 1 is not JSON"),
        ("l.jsonl", "[1]", "not a JSON object"),
        ("l.jsonl", '{"image":"a","labels":3}', "labels must be names, not 3"),
        ("l.jsonl", '{"image":4,"labels":[]}', "no column 'image'"),
    ],
)
def test_bad_tables(tmp_path, name, text, message):
    with pytest.raises(BadInputError, match=message):
        table.read(write(tmp_path / name, text))


def test_missing_or_binary(tmp_path):
    with pytest.raises(MissingInputError):
        table.read(tmp_path / "gone.csv")
    (tmp_path / "l.csv").write_bytes(b"\xff\xff\n")
    with pytest.raises(BadInputError, match="cannot be read"):
        table.read(tmp_path / "l.csv")


@pytest.mark.parametrize("at", [0, 1])
def test_a_field_without_end(tmp_path, at):
    lines = ["image,cat", "a.png,1"]
    lines[at] = "9" * 200_000
    (tmp_path / "x.csv").write_text("\n".join(lines))
    with pytest.raises(BadInputError, match=r"line \d: field larger"):
        table.read(tmp_path / "x.csv")
    with pytest.raises(BadInputError, match="is not a table"):
        read_groups(f"{tmp_path / 'x.csv'}:cat", None, ["a.png"])
