"""Label tables in their spellings."""

import pytest

from tests.data.folders import write
from wsstool.data.formats.tags import table
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
