"""Parts of a data set."""

import pytest

from wsstool import store
from wsstool.errors import UsageError

NAMES = [f"{i}.jpg" for i in range(50)]


@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_image_is_in_one_part(n):
    parts = [store.shard_indices(NAMES, f"{i}/{n}") for i in range(n)]
    assert sorted(i for part in parts for i in part) == list(range(50))
    assert all(part == sorted(part) for part in parts)


def test_a_new_image_moves_no_other():
    before = {NAMES[i] for i in store.shard_indices(NAMES, "1/3")}
    more = sorted([*NAMES, "10a.jpg", "a.jpg"])
    assert before <= {more[i] for i in store.shard_indices(more, "1/3")}


def test_no_shard_is_everything():
    assert store.shard_indices(NAMES, None) == list(range(50))


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "1/0", "a/b", "1/2/3", "1.5/2"])
def test_what_is_no_shard(text):
    with pytest.raises(UsageError, match="0 <= i < n"):
        store.parse_shard(text)
