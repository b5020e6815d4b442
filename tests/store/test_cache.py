"""The cache inside pipes: equal bytes, no recomputation, resumed, shared, tidied."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.messages import Heard
from tests.store.records import example
from wsstool import store
from wsstool.errors import BusyError, CannotWriteError, MissingInputError, UsageError
from wsstool.stages.streams.cache import cache as cache_stage
from wsstool.store.output import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSTOOL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    """Run a function whose standard output is a file; returns the bytes."""

    def run(made, **options):
        with open(tmp_path / "out", "w+b") as stream:
            with monkeypatch.context() as patch:
                patch.setattr("sys.stdout", stream)
                made.write(None, **options)
            stream.seek(0)
            return stream.read()

    return run


class Once:
    """An example whose data must not be asked for again."""

    def __init__(self, made):
        self.made = replace(made, data=[], tails=[])

    def write(self, *args, **options):
        self.made.write(*args, **options)


@pytest.mark.parametrize("kind", ["cam", "selection", "mask"])
def test_a_hit_sends_equal_bytes_without_computing(kind, folder, pipe):
    made, heard = example(kind, failed=(3,)), Heard()
    first = pipe(made)
    assert os.listdir(folder) == [f"{made.header.key}.h5"]
    assert pipe(Once(made), messages=heard, env="another machine", max_failed=9) == first
    assert heard.said == [f"reading the result from the cache (key {made.header.key[:12]})"]
    assert pipe(made, force=True) == first


def test_a_hit_names_the_data_as_typed_now(folder, pipe, tmp_path):
    made = example("mask")
    pipe(made)
    moved = replace(made, header=replace(made.header, image_root="../data"), data=[])
    (tmp_path / "moved.h5").write_bytes(pipe(moved, max_failed=9))
    with store.open_records(tmp_path / "moved.h5") as reader:
        assert reader.header.image_root == "../data"
        reader.drain()


def test_an_interrupted_run_goes_on(folder, pipe):
    made, heard = example(), Heard()
    with pytest.raises(InterruptedError):
        pipe(made, stop=4)
    assert sorted(path.suffix for path in folder.iterdir()) == [".journal", ".part"]
    whole = pipe(made, messages=heard)
    assert heard.said == ["resuming at record 5 of 6"]
    assert whole == (folder / f"{made.header.key}.h5").read_bytes() and len(os.listdir(folder)) == 1


def test_the_second_of_two_runs_just_computes(folder, pipe):
    made = example("mask")
    with (
        pytest.raises(InterruptedError),
        store.create(made.header, cache.entry(cache.folder(), made.header.key)),
    ):
        assert len(pipe(made)) == made.header.layout().size
        assert not list(folder.glob("*.h5"))
        raise InterruptedError


def test_a_damaged_entry_is_made_again(folder, pipe):
    made = example("mask")
    first = pipe(made)
    entry = folder / f"{made.header.key}.h5"
    bad = bytearray(first)
    bad[-1100] ^= 1
    entry.write_bytes(bad)
    assert pipe(made) == first == entry.read_bytes()


def test_a_cache_that_cannot_be_written_is_no_failure(folder, pipe, monkeypatch):
    made, heard = example("mask"), Heard()
    monkeypatch.setattr("wsstool.store.output.partial_file.PartFile.note", full)
    assert len(pipe(made, messages=heard)) == made.header.layout().size
    assert heard.warned[0] == "not cached: no space" and not os.listdir(folder)


def full(self, entry):
    raise CannotWriteError("no space")


def test_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert all(cache.folder(off) is None for off in ("", "0", "no", "OFF", "false"))
    assert cache.folder("1") == cache.folder("Yes") == tmp_path / "wsstool"
    assert cache.folder(str(tmp_path / "a" / "b")).is_dir()


def fill(folder: Path):
    folder.mkdir()
    for i in range(4):
        path = folder / f"{i}{'a' * 31}.h5"
        path.write_bytes(bytes(100 * (i + 1)))
        os.utime(path, (i, i))
    (folder / "mine.h5").write_bytes(bytes(99))
    part = folder / f"{'b' * 32}.h5.part"
    part.write_bytes(bytes(50))
    os.utime(part, (9, 9))


def test_prune_takes_the_least_recently_used_and_nothing_else(folder):
    fill(folder)
    assert [one.key[0] for one in cache.entries(folder)] == ["b", "3", "2", "1", "0"]
    assert [one.key[0] for one in cache.prune(folder, 600)] == ["2", "1", "0"]
    assert sorted(path.name[0] for path in folder.iterdir()) == ["3", "b", "m"]
    cache.prune(folder, 0)
    assert os.listdir(folder) == ["mine.h5"]


@pytest.mark.parametrize(("size", "removed"), [(1050, []), (1049, ["0"]), (450, ["2", "1", "0"])])
def test_prune_keeps_what_is_exactly_as_large(folder, size, removed):
    fill(folder)
    assert [one.key[0] for one in cache.prune(folder, size)] == removed


def test_the_command(folder, pipe):
    made = example("mask")
    pipe(made)
    key = made.header.key
    found = cache_stage("ls")
    assert found["folder"] == str(folder) and found["bytes"] == made.header.layout().size
    entry = {"key": key, "bytes": found["bytes"], "complete": True}
    assert found["entries"] == [{**entry, "stage": "made-up", "kind": "mask", "images": 6}]
    assert cache_stage("prune", max_size="1G")["entries"] == []
    for wrong in (("rm",), ("ls", [key]), ("rm", [key[:3]]), ("dance",), ("prune",)):
        with pytest.raises(UsageError):
            cache_stage(*wrong)
    with pytest.raises(UsageError):
        cache_stage("prune", max_size="much")
    with pytest.raises(MissingInputError):
        cache_stage("rm", ["ffff" + key])
    assert cache_stage("rm", [key[:8]])["bytes"] == 0
    with store.create(made.header, folder / f"{key}.h5") as writer:
        with pytest.raises(BusyError):
            cache_stage("rm", [key])
        writer.max_failed = 9
        for one in made.data:
            writer.fail("") if one is None else writer.write(one)
