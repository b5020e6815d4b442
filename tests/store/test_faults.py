"""Cut and damaged files: none is accepted, and each is refused by one sentence."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.store.records import KINDS, example, read
from wsstool import store
from wsstool.errors import BadInputError


@pytest.fixture(autouse=True)
def limited_memory():
    """A damaged length must not become an allocation."""
    old = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, old)


def refused(path, data, via_pipe=False):
    """Reading must raise BadInputError with one sentence."""
    path.write_bytes(data)
    source = path
    if via_pipe:
        process = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
        source = f"/dev/fd/{process.stdout.fileno()}"
    with pytest.raises(BadInputError) as caught, store.open_records(source) as reader:
        for record in reader.records():
            _ = record.failed, record.maps if record.header.payload == "cam" else record.data
    assert "\n" not in str(caught.value) and str(path if not via_pipe else source) in str(caught.value)
    if via_pipe:
        process.stdout.close()
        process.wait()


def damage(kind, path, cuts, flips, seed):
    r = np.random.default_rng(seed)
    whole = example(kind, 4).bytes(path.parent)
    for cut in r.integers(0, len(whole), cuts):
        refused(path, whole[:cut])
    for bit in r.integers(0, len(whole) * 8, flips):
        bad = bytearray(whole)
        bad[bit // 8] ^= 1 << bit % 8
        refused(path, bad)
    for cut in r.integers(0, len(whole), 2):
        refused(path, whole[:cut], via_pipe=True)


@pytest.mark.parametrize("kind", KINDS)
def test_some_cuts_and_flips(kind, tmp_path):
    damage(kind, tmp_path / "a.h5", 15, 50, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_cuts_and_flips(kind, tmp_path):
    damage(kind, tmp_path / "a.h5", 200, 2000, seed=1)


def test_first_and_last_bytes(tmp_path):
    whole = example("mask", 3).bytes(tmp_path)
    for cut in (0, 1, 7, 8, 63, 64, 100, len(whole) - 4, len(whole) - 1):
        refused(tmp_path / "a.h5", whole[:cut])
        refused(tmp_path / "a.h5", whole[:cut], via_pipe=True)


def test_more_than_one_file(tmp_path):
    whole = example("mask", 3).bytes(tmp_path)
    for more in (whole, b"\0", b"\n"):
        refused(tmp_path / "a.h5", whole + more)
        refused(tmp_path / "a.h5", whole + more, via_pipe=True)


def repacked(path, **options):
    """As h5repack leaves a file: every dataset again, in the order of names."""
    other = path.with_suffix(".repacked.h5")
    with h5py.File(path) as old, h5py.File(other, "w") as new:
        for key, value in old.attrs.items():
            new.attrs[key] = value
        for name in old:
            new.create_dataset(name, data=old[name][()], **(options if old[name].size else {}))
    return other


@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "fletcher32": True}, {"chunks": True}])
@pytest.mark.parametrize("kind", KINDS)
def test_repacked_files_are_read(kind, options, tmp_path):
    made = example(kind)
    made.write(tmp_path / "a.h5")
    other = repacked(tmp_path / "a.h5", **options)
    header, records, tail = read(other)
    plain = read(tmp_path / "a.h5")
    assert header.layout().head == plain[0].layout().head
    assert all(np.array_equal(a.data, b.data, equal_nan=True) for a, b in zip(records, plain[1], strict=True))
    assert all(np.array_equal(tail[name], plain[2][name]) for name in plain[2])
    with store.open_records(other) as reader:
        store.copy(reader, tmp_path / "b.h5")
    assert (tmp_path / "b.h5").read_bytes() == (tmp_path / "a.h5").read_bytes()


def test_damaged_repacked_files(tmp_path):
    """Old-style object headers have no checksums: whatever is found must be refused or read, never crash."""
    example("mask", 4).write(tmp_path / "a.h5")
    other = repacked(tmp_path / "a.h5", compression="gzip", fletcher32=True)
    whole = other.read_bytes()
    r = np.random.default_rng(2)
    for cut in r.integers(0, len(whole), 10):
        refused(tmp_path / "b.h5", whole[:cut])
    for bit in r.integers(0, len(whole) * 8, 60):
        bad = bytearray(whole)
        bad[bit // 8] ^= 1 << bit % 8
        (tmp_path / "b.h5").write_bytes(bad)
        try:
            read(tmp_path / "b.h5")
        except BadInputError as error:
            assert "\n" not in str(error)


def test_nothing_is_read_from_other_files(tmp_path):
    example("mask", 4).write(tmp_path / "a.h5")
    shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5", "a") as file:
        del file["mask"]
        file["mask"] = h5py.ExternalLink(str(tmp_path / "a.h5"), "mask")
    with pytest.raises(BadInputError):
        read(tmp_path / "b.h5")


def test_newer_schema_and_unknown_kinds(tmp_path):
    example("mask", 4).write(tmp_path / "a.h5")
    for name, value, words in (("wsstool_schema", 99, "upgrade"), ("payload", "dream", "does not support")):
        with h5py.File(repacked(tmp_path / "a.h5"), "a") as file:
            file.attrs[name] = value
        with pytest.raises(BadInputError, match=words):
            read(tmp_path / "a.repacked.h5")


def test_unknown_columns_and_attributes_survive_a_copy(tmp_path):
    """A later version may add some; this one must pass them on."""
    made = example("mask", 4)
    header = made.header
    header.columns["later"] = np.arange(4)  # type: ignore[index]
    header.attributes["note"] = "5 o'clock"  # type: ignore[index]
    header.attributes["gain"] = np.float64(2.5)  # type: ignore[index]
    header.more_tail["afterwards"] = ("<f4", (2, 2))  # type: ignore[index]
    with store.create(header, tmp_path / "a.h5", max_failed=9) as writer:
        writer.tail["afterwards"][:] = 7
        for one in made.data:
            writer.fail("") if one is None else writer.write(one)
    with store.open_records(tmp_path / "a.h5") as reader:
        store.copy(reader, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    found, _, tail = read(tmp_path / "b.h5")
    assert found.attributes["note"] == "5 o'clock" and found.attributes["gain"] == 2.5
    assert found.columns["later"].tolist() == [0, 1, 2, 3] and tail["afterwards"].tolist() == [[7, 7], [7, 7]]


def test_a_folder_or_a_broken_disk_is_no_traceback(tmp_path):
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BadInputError):
        store.open_records(f"/dev/fd/{directory}")
    os.close(directory)
