"""Records by number: in workers, after a fork, from a pipe, from a compressed file."""

import gc
import multiprocessing
import os
import pickle
import subprocess

import numpy as np
import pytest

from tests.store.records import KINDS, example, read
from tests.store.test_faults import repacked
from wsstool import store
from wsstool.errors import BadInputError, MissingInputError


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_records_as_in_order(kind, tmp_path):
    example(kind, 8).write(tmp_path / "a.h5")
    header, records, tail = read(tmp_path / "a.h5")
    opened = store.open_random(tmp_path / "a.h5", kinds=(header.payload,), sentences=True)
    assert len(opened) == 8 and opened.header.key == header.key
    for i in (7, 0, 3, 3, 1):
        assert np.array_equal(opened[i].data, records[i].data, equal_nan=True)
        assert opened[i].data.shape == records[i].data.shape and opened[i].name == records[i].name
        assert opened[i].failed == records[i].failed
    assert np.array_equal(opened.tail["status"], tail["status"])
    for i in (-1, 8):
        with pytest.raises(IndexError):
            opened[i]


def total(opened, wanted):
    return [float(np.nansum(opened[i].data.astype(float))) for i in wanted]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_workers(method, tmp_path):
    example("cam", 8).write(tmp_path / "a.h5")
    opened = store.open_random(repacked(tmp_path / "a.h5", compression="gzip"))  # a spooled copy
    expected = total(opened, range(8))
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(total, (opened, range(8))) == expected
    assert total(opened, range(8)) == expected


def test_pickle_has_no_payload(tmp_path):
    example("mask", 3).write(tmp_path / "a.h5")
    opened = store.open_random(tmp_path / "a.h5")
    opened[0]
    again = pickle.loads(pickle.dumps(opened))
    assert again._map is None and np.array_equal(again[2].data, opened[2].data)


def test_the_spooled_copy_goes_with_its_owner(tmp_path):
    example("mask", 3).write(tmp_path / "a.h5")
    opened = store.open_random(repacked(tmp_path / "a.h5", compression="gzip"))
    folder = opened.path.parent
    child = os.fork()
    if child == 0:
        del opened  # a worker ends its life; the file is not its own
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert opened.path.exists()
    del opened
    gc.collect()
    assert not folder.exists()


def test_from_a_pipe(tmp_path):
    example("mask", 3).write(tmp_path / "a.h5")
    with subprocess.Popen(["cat", tmp_path / "a.h5"], stdout=subprocess.PIPE) as process:
        opened = store.open_random(f"/dev/fd/{process.stdout.fileno()}")
    assert np.array_equal(opened[2].data, example("mask", 3).data[2])


def test_another_file_in_its_place(tmp_path):
    path = tmp_path / "a.h5"
    example("mask", 3).write(path)
    opened, early = store.open_random(path), store.open_random(path)
    early[0]
    example("mask", 4).write(path)
    with pytest.raises(BadInputError, match="replaced while it was in use"):
        opened[0]
    assert np.array_equal(early[0].data, example("mask", 3).data[0])  # the map still holds the old file
    path.unlink()
    with pytest.raises(MissingInputError):
        opened[0]


def test_damage_is_found_at_once_and_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "spool").mkdir()
    example("mask", 3).write(tmp_path / "a.h5")
    bad = bytearray((tmp_path / "a.h5").read_bytes())
    bad[len(example("mask", 3).header.layout().head)] ^= 1
    (tmp_path / "b.h5").write_bytes(bad)
    with pytest.raises(BadInputError, match="checksum"):
        store.open_random(tmp_path / "b.h5")
    with (
        subprocess.Popen(["cat", tmp_path / "b.h5"], stdout=subprocess.PIPE) as process,
        pytest.raises(BadInputError, match="checksum"),
    ):
        store.open_random(f"/dev/fd/{process.stdout.fileno()}")
    assert not os.listdir(tmp_path / "spool")
