"""The planned layout: reading order, sizes, and what could upset it."""

import dataclasses
import json

import h5py
import numpy as np
import pytest

from tests.store.records import KINDS, example, read
from wsstool import store
from wsstool.store.layout import plan


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_stand_in_reading_order(kind, tmp_path):
    made = example(kind)
    made.write(tmp_path / "a.h5")
    header = made.header
    layout = header.layout()
    with h5py.File(tmp_path / "a.h5") as file:
        offset = {name: file[name].id.get_offset() for name in file}
        start = offset[header.payload]
        assert start == len(layout.head)
        assert all(offset[name] < start for name in header.columns if offset[name] is not None)
        ends = [offset[n] for n in header.tail_columns() if offset[n] is not None]
        assert ends == sorted(ends) and ends[0] >= start + file[header.payload].nbytes
        assert layout.size == (tmp_path / "a.h5").stat().st_size
        assert offset["crc32"] == layout.size - 4
        assert all(file[name].chunks is None for name in file)


def test_equal_headers_give_equal_bytes_and_others_do_not():
    assert example(seed=3).header.layout().head == example(seed=3).header.layout().head
    assert example(seed=3).header.layout().head != example(seed=4).header.layout().head


def test_empty_payload_and_columns_of_no_rows(tmp_path):
    made = example("selection", 2)
    header = store.new_header(
        "selection",
        stage="made-up",
        params={},
        inputs=[],
        images=["a.jpg", "b.jpg"],
        sizes=np.full((2, 2), 4),
        shapes=np.zeros((2, 3)),
        classes=made.header.classes,
        columns={
            "box_offset": np.zeros(3),
            "box": np.zeros((0, 4)),
            "box_class": np.zeros(0),
            "box_id": np.zeros(0),
            "window": np.zeros((0, 4)),
        },
    )
    with store.create(header, tmp_path / "a.h5") as writer:
        writer.write(np.zeros(0))
        writer.write(np.zeros(0), score=np.zeros(0))
    with store.open_records(tmp_path / "a.h5") as reader:
        assert reader.streamed
        assert [record.windows for record in reader.records()] == [[], []]
        assert reader.tail["score"].shape == (0,)
    assert store.open_random(tmp_path / "a.h5")[1].data.size == 0


def test_long_history(tmp_path):
    made = example()
    step = {**made.header.provenance[0], "command": "wsstool " + "x" * 400_000}
    long = dataclasses.replace(made, header=dataclasses.replace(made.header, provenance=[step]))
    long.write(tmp_path / "a.h5")
    header, records, _ = read(tmp_path / "a.h5")
    assert header.provenance == [step] and len(records) == len(made)
    with h5py.File(tmp_path / "a.h5") as file:
        assert json.loads(file.attrs["provenance"]) == [step]


def test_an_hdf5_that_lays_out_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(h5py.h5d, "ALLOC_TIME_LATE", h5py.h5d.ALLOC_TIME_EARLY)
    with pytest.raises(RuntimeError, match="reading order"):
        example().header.layout()


def test_plan_of_the_smallest_file():
    layout = plan({"a": 1}, {}, ("x", "uint8", 0), {"crc32": ("uint32", (1,))})
    assert layout.payload_bytes == 0 and layout.tail_offset == len(layout.head) == layout.size - 4
    assert layout.tail["crc32"][0] == len(layout.head)
