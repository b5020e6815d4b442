"""Files of every schema version and kind stay readable for ever."""

import h5py
import numpy as np
import pytest

from tests.store.make_golden import FOLDER, golden, golden_path
from tests.store.records import KINDS, read
from wsstool import store

FILES = sorted(FOLDER.glob("v*.h5"))


def test_one_file_of_every_kind():
    assert {path.stem.partition("-")[2] for path in FILES} >= set(KINDS)
    assert {path.stem[:2] for path in FILES if path.stem.endswith("-sentences")} == {"v2"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_still_read(path, tmp_path):
    expected = golden(path.stem.partition("-")[2])
    header, records, tail = read(path)
    assert (header.payload, header.stage) == (expected.header.payload, "made-up")
    assert header.classes == expected.header.classes and header.images == expected.header.images
    for name, column in expected.header.columns.items():
        np.testing.assert_array_equal(header.columns[name], column, name)
    for record, data, values in zip(records, expected.data, expected.tails, strict=True):
        if data is not None:
            assert np.array_equal(record.data.reshape(-1), np.asarray(data, header.dtype).reshape(-1))
            for name, value in values.items():
                rows = header.rows(record.index, header.tail_columns()[name][2])
                assert np.array_equal(tail[name][rows].reshape(-1), np.asarray(value, tail[name].dtype))
    assert tail["status"].tolist() == [1, 2, 1, 2, 1]
    with store.open_records(path) as reader:
        store.copy(reader, tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_plain_h5py_reads_them(path):
    with h5py.File(path) as f:
        payload = f.attrs["payload"].decode()
        a, b = f["offset"][2:4]
        assert len(f[payload][a:b]) == b - a > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_are_still_written(kind, tmp_path):
    """A change here makes killed runs start over, and is right only with a new schema version or release."""
    path = golden_path(kind)
    golden(kind).write(tmp_path / "a.h5")
    with h5py.File(path) as old, h5py.File(tmp_path / "a.h5") as new:
        differing = [k for k in old.attrs if k not in ("key", "provenance") and old.attrs[k] != new.attrs[k]]
        assert set(old) == set(new) and set(old.attrs) == set(new.attrs) and not differing
        assert all(old[k].id.get_offset() == new[k].id.get_offset() for k in old if k != "crc32")
