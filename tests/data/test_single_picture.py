"""A picture in place of a data folder."""

from pathlib import Path

import pytest

from tests.stages.toy import write_rectangles
from wsstool.data.dataset import open_dataset
from wsstool.errors import BadInputError, MissingInputError, UsageError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_rectangles(tmp_path / "data", 3)


def test_inside_a_data_folder(data: Path, monkeypatch) -> None:
    whole = open_dataset(data)
    for picture in (data / "images/01.png", data / "masks/../images/01.png"):
        one = open_dataset(picture)
        assert one.names == ("images/01.png",) and one.classes == whole.classes
        assert one.labels is not None and one.labels.tolist() == whole.labels[1:2].tolist()
        assert one.mask(0) is not None and one.typed == picture
        assert one.path(0).samefile(picture)
    monkeypatch.chdir(data)
    assert open_dataset("images/01.png").names == ("images/01.png",)
    assert whole.typed == data


def test_anywhere_else(data: Path, tmp_path: Path) -> None:
    """The files beside it are not read: they may be many, and have one name twice."""
    (tmp_path / "home").mkdir()
    for name in ("a.png", "b.png", "b.jpg"):
        (tmp_path / "home" / name).write_bytes((data / "images/01.png").read_bytes())
    one = open_dataset(tmp_path / "home" / "a.png")
    assert one.names == ("a.png",) and one.labels is None and one.layout == "images"
    labels = tmp_path / "tags.csv"
    labels.write_text("image,labels\na.png,cat\nother.png,dog\n")
    tagged = open_dataset(tmp_path / "home" / "a.png", labels=labels)
    assert tagged.labels is not None and tagged.labels.sum() == 1


def test_a_link(data: Path, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(data / "images/02.png")
    assert open_dataset(tmp_path / "link.png").names == ("link.png",)


def test_refusals(data: Path) -> None:
    with pytest.raises(UsageError, match="--split selects images of a folder"):
        open_dataset(data / "images/01.png", split="train")
    with pytest.raises(BadInputError, match="is a file, and no picture"):
        open_dataset(data / "labels.csv")
    (data / "images/stray.png").write_bytes(b"")
    (data / "labels.csv").write_text("image,labels\n00,cat\n01,cat\n02,dog\n")
    with pytest.raises((BadInputError, MissingInputError), match="stray"):
        open_dataset(data / "images/stray.png")
