"""What holds for every method of proposals in the registry."""

import numpy as np
import pytest

from tests.proposals.scenes import noise, scene
from wsstool.errors import BadInputError, UsageError
from wsstool.metrics.proposals import mask_overlaps
from wsstool.regions import Proposals
from wsstool.registry import PROPOSALS

NAMES = PROPOSALS.names()


def check(found: Proposals, size: tuple[int, int]) -> None:
    """All that ``Proposals`` promises."""
    labels, nodes = found.superpixels, found.nodes
    assert labels.shape == size and labels.dtype == np.uint16
    n = found.n_superpixels
    assert np.array_equal(np.unique(labels), np.arange(n)), "a superpixel number is missing"
    assert nodes.dtype == np.uint16 and nodes.shape[1] == 3 and set(nodes[:, 2].tolist()) <= {0, 1}
    assert n + len(nodes) <= 65534
    own = n + np.arange(len(nodes))
    assert not (nodes[:, :2] == own[:, None]).any()
    members = found.members()
    assert len(members) == len(found) and members.any(1).all()
    assert len(np.unique(members, axis=0)) == len(members), "a region is proposed twice"


def proposals(name: str):
    """A method as ``f(image, **own) -> Proposals``; one that reads features gets the colours of blocks."""
    method = PROPOSALS.load(name)
    if not PROPOSALS.takes(name, "features"):
        return method

    def with_features(image, **own):
        side = max(1, min(image.shape[:2]) // 15) if image.ndim == 3 and image.size else 1
        return method(
            image, np.moveaxis(image[side // 2 :: side, side // 2 :: side], -1, 0), objects=5, **own
        )

    return with_features


@pytest.mark.parametrize("name", NAMES)
class TestMethod:
    def test_keeps_the_contract(self, name):
        image, _ = scene()
        before = image.copy()
        found = proposals(name)(image)
        check(found, image.shape[:2])
        assert len(found) > 3
        np.testing.assert_array_equal(image, before)

    def test_gives_the_same_again(self, name):
        image = noise((40, 50))
        one, other = proposals(name)(image), proposals(name)(image.copy())
        np.testing.assert_array_equal(one.superpixels, other.superpixels)
        np.testing.assert_array_equal(one.nodes, other.nodes)

    @pytest.mark.parametrize("flip", [slice(None), slice(None, None, -1)], ids=["plain", "mirrored"])
    def test_finds_things_on_a_plain_ground_also_mirrored(self, name, flip):
        image, masks = scene((120, 160))
        found = proposals(name)(np.ascontiguousarray(image[:, flip]))
        best = mask_overlaps(found, found.members(), [mask[:, flip] for mask in masks]).max(1)
        least = {"felzenszwalb": 0.8, "ncut": 0.75}.get(name, 0.95)
        assert best.min() > least

    @pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 40)])
    def test_tiny_images_are_legal(self, name, size):
        check(proposals(name)(noise(size)), size)

    def test_one_colour_is_legal(self, name):
        image = np.full((30, 40, 3), 128, np.uint8)
        check(proposals(name)(image), (30, 40))

    def test_a_large_image_is_looked_at_smaller_and_keeps_its_size(self, name):
        image, masks = scene((90, 120))
        found = proposals(name)(np.repeat(np.repeat(image, 3, 0), 3, 1), max_side=120)
        check(found, (270, 360))
        large = [np.repeat(np.repeat(mask, 3, 0), 3, 1) for mask in masks]
        least = {"felzenszwalb": 0.6, "ncut": 0.85}.get(name, 0.9)
        assert mask_overlaps(found, found.members(), large).max(1).min() > least

    def test_bad_input_is_one_sentence(self, name):
        method = proposals(name)
        for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)):
            with pytest.raises(BadInputError, match="RGB"):
                method(wrong)
        with pytest.raises(UsageError, match="max-side"):
            method(noise((9, 9)), max_side=-1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("tree", {"spaces": ("cmyk",)}),
        ("tree", {"texture": -1.0}),
        ("tree", {"scale": 0.0}),
        ("felzenszwalb", {"scales": (50.0, -1.0)}),
        ("slic", {"segments": ()}),
        ("slic", {"compactness": 0.0}),
        ("selective-search", {"similarities": ("cq",)}),
        ("selective-search", {"spaces": ()}),
        ("selective-search", {"similarities": ()}),
        ("tree", {"spaces": ()}),
    ],
)
def test_options_out_of_range_are_refused(name, options):
    with pytest.raises(UsageError):
        proposals(name)(noise((9, 9)), **options)


def test_the_tree_finds_more_with_more_spaces():
    image = noise((50, 60))
    tree = PROPOSALS.load("tree")
    one, three = (
        tree(image, spaces=("lab",), min_size=5),
        tree(image, spaces=("lab", "rgb", "hsv"), min_size=5),
    )
    assert one.n_superpixels == three.n_superpixels
    assert len(one) == 2 * one.n_superpixels - 1, "one tree: all superpixels and all merges"
    assert len(one) < len(three) <= one.n_superpixels + 3 * (one.n_superpixels - 1)


def test_too_many_superpixels_are_made_fewer(monkeypatch):
    from wsstool.proposals import superpixels

    monkeypatch.setattr(superpixels, "MOST_SUPERPIXELS", 20)
    found = PROPOSALS.load("tree")(noise((80, 80)), min_size=1)
    assert 1 < found.n_superpixels <= 20
