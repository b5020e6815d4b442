"""Files with a sentence per entry: their version, what they hold, and who may read them."""

import h5py
import numpy as np
import pytest

from tests.store.records import example, read
from wsstool import store
from wsstool.errors import BadInputError

KINDS = ("contour", "selection", "mask")


@pytest.mark.parametrize("kind", KINDS)
def test_only_files_with_sentences_have_the_later_version(kind, tmp_path):
    for name in (kind, f"{kind}-sentences"):
        example(name).write(tmp_path / f"{name}.h5")
    with h5py.File(tmp_path / f"{kind}.h5") as old, h5py.File(tmp_path / f"{kind}-sentences.h5") as new:
        assert (old.attrs["wsstool_schema"], new.attrs["wsstool_schema"]) == (1, 2)
        assert "sentence" not in old and len(new["sentence"]) == new["box_offset"][-1] > 0


def test_keys_are_those_of_the_first_version():
    """A literal from version 1: a change would recompute every file there is."""
    assert store.key_of("cam", {"flip": True}, []) == "cc3348dcd38d3f1ec5963e31f6e37488"


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_are_read_back(kind, tmp_path):
    example(f"{kind}-sentences").write(tmp_path / "a.h5")
    header, records, _ = read(tmp_path / "a.h5")
    count = int(header.columns["box_offset"][-1])
    texts = ("the red cat", "кот слева 🐈", "x")
    assert header.sentences == tuple(texts[k % 3] for k in range(count)) and count > 3
    if kind == "mask":
        assert [len(one.data) for one in records] == np.diff(header.columns["box_offset"]).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_that_knows_no_sentences_refuses_them(kind, tmp_path):
    example(f"{kind}-sentences").write(tmp_path / "a.h5")
    message = f"has one {kind} per sentence; made-up reads one per {'image' if kind == 'mask' else 'object'}"
    for reader in (store.open_records, store.open_random):
        with pytest.raises(BadInputError, match=message):
            reader(tmp_path / "a.h5", kinds=(kind,), command="made-up")
    with store.open_records(tmp_path / "a.h5", kinds=(kind,), command="made-up", sentences=True) as reader:
        assert reader.header.sentences


def test_a_header_must_have_all_columns_of_sentences_or_none():
    made = example("mask-sentences")
    head = made.header
    fields = {
        "stage": "x", "params": {}, "inputs": [], "images": head.images, "sizes": head.sizes,
        "shapes": head.shapes, "classes": head.classes, "attributes": head.attributes,
    }  # fmt: skip
    columns = {name: head.columns[name] for name in ("box_offset", "box", "box_class", "box_id", "sentence")}
    assert store.new_header("mask", columns=columns, **fields).sentences
    for name in columns:
        fewer = {other: column for other, column in columns.items() if other != name}
        with pytest.raises((KeyError, ValueError)):
            store.new_header("mask", columns=fewer, **fields)
    with pytest.raises(ValueError, match="box_offset"):
        moved = {**columns, "box_offset": np.r_[0, 0, columns["box_offset"][2:]]}
        store.new_header("mask", columns=moved, **fields)
    with pytest.raises(ValueError, match="utf-8"):
        broken = np.full(len(columns["sentence"]), b"\xff\xfe", "S2")
        store.new_header("mask", columns={**columns, "sentence": broken}, **fields)


def test_long_and_odd_texts():
    texts = ["", "a" * 300, "red\ncar", "\ud800x"]
    assert [one.decode() for one in store.text_column(texts).tolist()] == ["", "a" * 300, "red\ncar", "?x"]
    assert store.text_column([]).dtype == "S1"
