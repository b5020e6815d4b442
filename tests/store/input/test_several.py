"""Several record files read as one: what reading the merged file gives."""

import pickle
from bisect import bisect_right

import numpy as np
import pytest

from tests.stages.streams.test_merge import write_part
from tests.store.records import KINDS, example, read
from wsstool import store
from wsstool.errors import BadInputError
from wsstool.stages.streams.cat import cat
from wsstool.stages.streams.merge import merge
from wsstool.types import RecordFiles


@pytest.fixture
def shards(tmp_path):
    """A function that writes 3 shards of a kind and the file merged from them: (files, merged)."""

    def written(kind):
        whole = example(kind, 14, failed=(5,))
        names = whole.header.images
        parts = [
            write_part(whole, tmp_path / f"{i}.h5", store.shard_indices(names, f"{i}/3"), f"{i}/3")
            for i in range(3)
        ]
        merge(parts, output=tmp_path / "merged.h5")
        return RecordFiles(reversed(parts)), tmp_path / "merged.h5"

    return written


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_the_merged_file(kind, shards, tmp_path):
    files, merged = shards(kind)
    with store.open_records(files) as reader:
        store.copy(reader, tmp_path / "copy.h5")
    assert (tmp_path / "copy.h5").read_bytes() == merged.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_records_by_number(kind, shards):
    files, merged = shards(kind)
    several, one = store.open_random(files), store.open_random(merged)
    several = pickle.loads(pickle.dumps(several))
    assert (several.header.key, several.header.images) == (one.header.key, one.header.images)
    for i in range(len(one)):
        assert several[i].name == one[i].name and several[i].data.shape == one[i].data.shape
        assert np.array_equal(several[i].data, one[i].data, equal_nan=True)
    for name, column in several.tail.items():
        np.testing.assert_array_equal(column, one.tail[name])
    with pytest.raises(IndexError):
        several[len(one)]


def test_the_checksum_before_reading_is_that_of_what_was_read(shards):
    files, _ = shards("mask")
    for name in ("", "b/000002-ü.jpg", "b/000007-ü.jpg", "z"):
        with store.open_records(files) as reader:
            count = bisect_right(reader.header.images, name)
            ahead = reader.ahead(count)
            for _, _ in zip(range(count), reader.records(), strict=False):
                pass
            assert reader.prefix(count) == ahead


def test_a_part_that_changed_after_the_begin_is_noticed(shards, tmp_path):
    files, _ = shards("mask")
    with store.open_records(files) as reader:
        before = reader.ahead(len(reader.header))
        reader.finish()
    other = example("mask", 14, seed=1)
    write_part(other, tmp_path / "1.h5", store.shard_indices(other.header.images, "1/3"), "1/3")
    with store.open_records(files) as reader:
        assert reader.ahead(len(reader.header)) != before
        reader.finish()


def test_parts_that_do_not_belong_together(shards, tmp_path):
    files, merged = shards("mask")
    for wrong, sentence in (
        (files.paths[:2], "shards are missing: 0/3"),
        ((*files.paths, files.paths[0]), "is in both"),
        ((files.paths[0], str(merged)), "differ in|is in both|missing"),
    ):
        with pytest.raises(BadInputError, match=sentence):
            store.open_records(RecordFiles(wrong))
        with pytest.raises(BadInputError, match=sentence):
            store.open_random(RecordFiles(wrong))
    with pytest.raises(BadInputError, match="is a mask file"):
        store.open_records(files, kinds=("cam",), command="pseudo-mask")


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: data[:-200] + b"\1" + data[-199:]])
def test_a_damaged_part_leaves_no_result(damage, shards, tmp_path):
    files, _ = shards("mask")
    (tmp_path / "1.h5").write_bytes(damage((tmp_path / "1.h5").read_bytes()))
    with pytest.raises(BadInputError, match="/1"), store.open_records(files) as reader:
        store.copy(reader, tmp_path / "copy.h5")
    assert not (tmp_path / "copy.h5").exists()


def test_a_repacked_part(shards, tmp_path):
    files, merged = shards("mask")
    cat(files.paths[0], output=tmp_path / "packed.h5", compress="gzip")
    with store.open_records(RecordFiles((str(tmp_path / "packed.h5"), *files.paths[1:]))) as reader:
        store.copy(reader, tmp_path / "copy.h5")
    assert (tmp_path / "copy.h5").read_bytes() == merged.read_bytes()
    assert read(merged)[0].key == reader.header.key
