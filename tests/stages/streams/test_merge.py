"""Merged parts are what one pass would have made; parts that do not belong together are refused."""

import itertools
import os
import resource
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.store.records import CLASSES, KINDS, example, read
from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.streams.cat import cat
from wsstool.stages.streams.merge import merge
from wsstool.store.output.archive import write_compressed
from wsstool.store.schema import KINDS as SCHEMA_KINDS


def write_part(whole, path, chosen, shard=None, stage="made-up", inputs=(), **params):
    """Those records of ``whole``, as a run over a part of the images writes them."""
    old = whole.header
    columns = {}
    for name, (_, index, _) in SCHEMA_KINDS[old.payload].head.items():
        if name not in old.columns:
            continue
        column = old.columns[name]
        if index == "image + 1":
            columns[name] = np.concatenate([[0], np.cumsum(np.diff(column)[chosen])])
        else:
            columns[name] = np.concatenate([column[old.rows(i, index.split()[0])] for i in chosen])
    header = store.new_header(
        old.payload,
        stage=stage,
        params={"kind": 1, "shard": shard, **params},
        inputs=[store.Input("data", {"fingerprint": shard or ""}, "data"), *inputs],
        images=[old.images[i] for i in chosen],
        sizes=old.sizes[chosen],
        shapes=old.shapes[chosen],
        elements=np.diff(old.offsets)[chosen],
        classes=CLASSES,
        labels=old.labels[chosen],
        columns=columns,
        attributes=old.attributes,
    )
    data, tails = [whole.data[i] for i in chosen], [whole.tails[i] for i in chosen]
    replace(whole, header=header, data=data, tails=tails).write(path)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_all_parts_are_one_pass(kind, tmp_path):
    whole = example(kind, 20, failed=(5,))
    one_pass = write_part(whole, tmp_path / "one.h5", range(20))
    parts = [
        write_part(whole, tmp_path / f"{i}.h5", store.shard_indices(whole.header.images, f"{i}/3"), f"{i}/3")
        for i in range(3)
    ]
    files = set()
    for ordered in itertools.permutations(parts, 3):
        found = merge(ordered, output=tmp_path / "all.h5", force=True)
        files.add((tmp_path / "all.h5").read_bytes())
    assert len(files) == 1 and found["images"] == 20
    header, records, tail = read(tmp_path / "all.h5")
    expected, expected_records, expected_tail = read(one_pass)
    assert (header.params, header.stage, header.attributes) == (
        expected.params,
        expected.stage,
        expected.attributes,
    )
    assert set(header.columns) == set(expected.columns)
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(header.columns[name], column, name)
    for a, b in zip(records, expected_records, strict=True):
        assert a.name == b.name and np.array_equal(a.data, b.data, equal_nan=True)
    for name in set(tail) - {"crc32"}:
        assert np.array_equal(tail[name], expected_tail[name]), name
    assert [step["command"].split()[1] for step in header.provenance] == ["made-up"] * 3 + ["merge"]
    assert found["failed"] == [header.images[i] for i in np.flatnonzero(tail["status"] == 2)]


def test_parts_of_later_stages(tmp_path):
    """Masks made from parts of CAMs carry the part in their history only."""
    whole = example("mask", 12)
    paths = []
    for i in range(2):
        history = ({"key": f"{i}", "stage": "cam", "version": "", "command": f"wsstool cam d --shard {i}/2"},)
        source = store.Input("input", {"key": str(i)}, f"cam{i}.h5", history)
        chosen = store.shard_indices(whole.header.images, f"{i}/2")
        paths.append(write_part(whole, tmp_path / f"{i}.h5", chosen, inputs=[source]))
    with pytest.raises(BadInputError, match="missing: 1/2"):
        merge(paths[:1], output=tmp_path / "all.h5")
    assert merge(paths, output=tmp_path / "all.h5")["images"] == 12


def test_what_does_not_belong_together(tmp_path):
    whole = example("mask", 9)
    first = write_part(whole, tmp_path / "a.h5", [0, 1, 2], "0/2")
    weights = store.Input("weights", {"fingerprint": "x"})
    frost = store.Input("frost", {"fingerprint": "x"})
    others = {
        "missing: 1/2": write_part(whole, tmp_path / "b.h5", [3], "0/2"),
        "different numbers of shards": write_part(whole, tmp_path / "c.h5", [3], "1/3"),
        "image 'b/000002-ü.jpg' is in both": write_part(whole, tmp_path / "d.h5", [2, 3], "1/2"),
        "differ in stage": write_part(whole, tmp_path / "e.h5", [3], "1/2", stage="other"),
        "differ in options": write_part(whole, tmp_path / "f.h5", [3], "1/2", scale=2),
        "differ in weights": write_part(whole, tmp_path / "g.h5", [3], "1/2", inputs=[weights]),
        "differ in frost": write_part(whole, tmp_path / "i.h5", [3], "1/2", inputs=[frost]),
        "differ in kind": write_part(example("box", 9), tmp_path / "h.h5", [3], "1/2"),
    }
    for words, other in others.items():
        with pytest.raises(BadInputError, match=words):
            merge([first, other], output=tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()
    assert merge([first, others["missing: 1/2"]], output=tmp_path / "all.h5", partial=True)["images"] == 4


def test_damaged_parts_make_no_file(tmp_path):
    whole = example("mask", 9)
    paths = [write_part(whole, tmp_path / f"{i}.h5", range(i, 9, 2), f"{i}/2") for i in range(2)]
    data = bytearray((tmp_path / "1.h5").read_bytes())
    data[-1500] ^= 1  # behind the records
    (tmp_path / "1.h5").write_bytes(data)
    with pytest.raises(BadInputError, match="checksum"):
        merge(paths, output=tmp_path / "all.h5")
    assert not list(tmp_path.glob("all*"))


@pytest.mark.parametrize("spelling", ["{}/0.h5", "{}/./0.h5", "{}/link.h5", "{}/hard.h5"])
def test_no_part_is_overwritten(spelling, tmp_path):
    whole = example(KINDS[0], 4)
    parts = [write_part(whole, tmp_path / f"{i}.h5", [i, i + 2]) for i in range(2)]
    (tmp_path / "link.h5").symlink_to("0.h5")
    (tmp_path / "hard.h5").hardlink_to(parts[0])
    before = Path(parts[0]).read_bytes()
    for write in (merge, lambda sources, output: cat(sources[0], output=output)):
        with pytest.raises(UsageError, match="is the input"):
            write(parts, output=Path(spelling.format(tmp_path)))
    assert Path(parts[0]).read_bytes() == before
    assert merge(parts, output=tmp_path / "all.h5")["images"] == 4


@pytest.mark.parametrize("packed", [False, True])
def test_more_parts_than_a_process_may_open(packed, tmp_path):
    whole, count = example("mask", 200), 100
    one_pass = write_part(whole, tmp_path / "one.h5", range(200))
    parts = []
    for k in range(count):
        part = write_part(whole, tmp_path / f"{k}.h5", range(k, 200, count), f"{k}/{count}")
        if packed:
            with store.open_records(part) as reader:
                write_compressed(reader, tmp_path / f"{k}.packed.h5")
            part = str(tmp_path / f"{k}.packed.h5")
        parts.append(part)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 90, limits[1]))
    try:
        merge(parts, output=tmp_path / "all.h5")
        bad = bytearray(Path(parts[7]).read_bytes())
        bad[-1 if not packed else h5_place(parts[7], "status")] ^= 1
        Path(parts[7]).write_bytes(bad)
        with pytest.raises(BadInputError, match="checksum"):
            merge(parts, output=tmp_path / "again.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    merged, alone = read(tmp_path / "all.h5"), read(one_pass)
    assert merged[0].images == alone[0].images
    assert all(np.array_equal(a.data, b.data) for a, b in zip(merged[1], alone[1], strict=True))
    assert not list(tmp_path.glob("again.h5*"))


def h5_place(path, column):
    with h5py.File(path) as file:
        return file[column].id.get_offset()
