"""Commands on several files give the bytes that they give on the merged file."""

import pytest

from tests.stages.streams.test_merge import write_part
from tests.store.records import example
from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.options.pseudo_mask import PseudoMaskOptions
from wsstool.stages.options.several import as_source
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.scoring.predictions import open_scored
from wsstool.stages.streams.merge import merge
from wsstool.types import RecordFiles


@pytest.fixture
def shards(tmp_path):
    whole = example("cam", 12)
    parts = [
        write_part(whole, tmp_path / f"{i}.h5", store.shard_indices(whole.header.images, f"{i}/3"), f"{i}/3")
        for i in range(3)
    ]
    merge(parts, output=tmp_path / "merged.h5")
    return parts


def masks(source, path):
    pseudo_mask(source, output=path, workers=0, max_failed=12)
    return path.read_bytes()


def test_label_maps_of_shards_are_those_of_the_merged_file(shards, tmp_path):
    (tmp_path / "list.txt").write_text("\n".join(shards) + "\n\n")
    merged = masks(tmp_path / "merged.h5", tmp_path / "a.h5")
    assert masks(shards[::-1], tmp_path / "b.h5") == merged
    assert masks(f"@{tmp_path / 'list.txt'}", tmp_path / "c.h5") == merged


def test_what_is_scored(shards, tmp_path):
    with open_scored(RecordFiles(shards)) as several, open_scored(tmp_path / "merged.h5") as one:
        assert several.header.key == one.header.key
    with pytest.raises(UsageError, match="eval reads one source"):
        evaluate([shards[0], str(tmp_path)])


def test_how_inputs_are_named(tmp_path):
    (tmp_path / "list.txt").write_text("b.h5\n\nc d.h5\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "one.txt").write_text("a.h5\n")
    assert as_source(None) is None and as_source([]) is None
    assert as_source("a.h5") == "a.h5" and not isinstance(as_source(["a.h5"]), RecordFiles)
    assert as_source(["a.h5", f"@{tmp_path / 'list.txt'}"]).paths == ("a.h5", "b.h5", "c d.h5")
    assert as_source(f"@{tmp_path / 'one.txt'}") == "a.h5"
    with pytest.raises(BadInputError, match="lists no files"):
        as_source(f"@{tmp_path / 'empty.txt'}")
    with pytest.raises(MissingInputError, match="there is no list of files"):
        as_source(f"@{tmp_path / 'none.txt'}")
    with pytest.raises(UsageError, match="standard input cannot be one of several"):
        as_source(["a.h5", "-"])


def test_every_file_is_looked_for_and_none_is_overwritten(shards, tmp_path):
    with pytest.raises(MissingInputError, match="no file or folder 'none"):
        PseudoMaskOptions(source=[*shards, "none.h5"]).check_paths()
    with pytest.raises(UsageError, match="is the input"):
        PseudoMaskOptions(source=shards, output=shards[2]).check_paths()
