"""Run lengths against pycocotools, and damaged ones."""

import numpy as np
import pytest

from wsstool.data.geometry import rle
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError

SHAPES = [(1, 1), (3, 5), (40, 60), (200, 7)]


def _mask(shape, share, seed):
    rng = np.random.default_rng(seed)
    return rng.random(shape) < share


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 1])
def test_same_as_pycocotools(shape, share):
    coco = pytest.importorskip("pycocotools.mask")
    mask = _mask(shape, share, 0)
    ours = rle.encode(mask)
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert rle.pack(ours["counts"]) == theirs["counts"].decode()
    assert rle.unpack(theirs["counts"]) == ours["counts"]
    assert (rle.decode(ours) == mask).all()
    assert (rle.decode({"size": theirs["size"], "counts": theirs["counts"]}) == mask).all()


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": [1, 2]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": "1\x7f"},
        {"size": [2, 2], "counts": "1Q"},
        {"size": [2], "counts": [2]},
        {"size": [2, 2], "counts": "four"},
        {"size": [2, 2], "counts": None},
    ],
)
def test_damage_is_named(bad):
    with pytest.raises(BadInputError, match="run lengths"):
        rle.decode(bad)


def test_a_number_of_a_million_characters():
    """Shifting it into place would take hours; no image has that many pixels."""
    with pytest.raises(ValueError, match="longer than any image"):
        rle.unpack("o" * 1_000_000 + "1")
    largest = [0, (1 << 58) - 1]
    assert rle.unpack(rle.pack(largest)) == largest


WRAPPING = [2**63 - 1, 2**63 - 1, 2 * 2 + 2]


@pytest.mark.parametrize(
    "bad",
    [
        {"size": [2, 2], "counts": WRAPPING},
        {"size": [2, 2], "counts": rle.pack([2**62, 2**62, 2**62, 2**62, 4])},
        {"size": [2, 2], "counts": [2**64, 4]},
        {"size": [100_000, 100_000], "counts": [10**10]},
        {"size": [-2, -2], "counts": [4]},
        {"size": [2, 2], "counts": "o" * 1_000_000 + "0"},
    ],
)
def test_counts_that_wrap_or_claim_much_take_no_memory(bad):
    with pytest.raises(BadInputError, match="run lengths"):
        rle.decode(bad)
    with pytest.raises(BadInputError, match="run lengths"):
        shape_mask([bad], (2, 2))
