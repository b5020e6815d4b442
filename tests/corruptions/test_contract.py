"""What holds for every corruption in the registry."""

import numpy as np
import pytest

from tests.corruptions.pictures import SIZES, cat, distance, noise
from wsstool.corruptions import GROUPS, VALIDATION, corrupt, generator_of
from wsstool.corruptions.frost import photographs
from wsstool.corruptions.levels import SEVERITIES
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.metrics.corruption_error import ALEXNET
from wsstool.registry import CORRUPTIONS

NAMES = CORRUPTIONS.names()
# The distance to the clean image grows from each severity to the next; the others are published as they are.
GROWING = {*NAMES} - {"frost", "frost-synthetic", "glass-blur", "fog", "saturate", "snow", "spatter"}
WITHOUT_CHANCE = {
    *("gaussian-blur", "defocus-blur", "zoom-blur", "brightness", "contrast", "saturate"),
    *("jpeg-compression", "pixelate"),
}


@pytest.fixture
def method(name):
    """A corruption as ``f(image, severity, image_name)``."""
    if name == "frost":
        try:
            photographs()
        except MissingInputError as error:
            pytest.skip(str(error))
    return lambda image, severity, image_name="a": corrupt(image, name, severity, image_name=image_name)


@pytest.mark.parametrize("name", NAMES)
class TestCorruption:
    def test_keeps_shape_type_and_input(self, method, name):
        image = cat().copy()
        for severity in SEVERITIES:
            found = method(image, severity)
            assert found.shape == image.shape and found.dtype == np.uint8
            assert found.flags.writeable and not np.shares_memory(found, image)
            np.testing.assert_array_equal(image, cat())

    def test_depends_on_nothing_but_name_severity_and_seed(self, method, name):
        first = method(cat(), 3)
        np.random.default_rng(1).normal(size=5)
        np.random.seed(7)
        method(cat(), 4, "another")
        np.testing.assert_array_equal(method(cat(), 3), first)

    def test_draws_anew_for_each_image(self, method, name):
        same = np.array_equal(method(cat(), 5, "a"), method(cat(), 5, "b"))
        assert same == (name in WITHOUT_CHANCE)

    def test_severity_takes_it_away_from_the_clean_image(self, method, name):
        means = [np.mean([distance(method(cat(), s, n), cat()) for n in "ab"]) for s in SEVERITIES]
        assert means[0] > 0.1
        if name == "frost-synthetic":
            return  # the image fades as the ice grows
        assert means[4] > means[0]
        if name in GROWING:
            assert means == sorted(means)

    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_tiny_and_odd_sizes_are_legal(self, method, name, size):
        for severity in SEVERITIES:
            found = method(noise(size), severity)
            assert found.shape == (*size, 3) and found.dtype == np.uint8

    @pytest.mark.parametrize("level", [0, 128, 255])
    def test_one_colour_is_legal(self, method, name, level):
        image = np.full((40, 50, 3), level, np.uint8)
        for severity in SEVERITIES:
            assert method(image, severity).shape == image.shape

    def test_an_array_with_gaps_gives_the_same(self, method, name):
        image = cat()[::2, ::-3]
        found = [method(one, 2) for one in (image, np.ascontiguousarray(image))]
        np.testing.assert_array_equal(*found)

    @pytest.mark.parametrize("severity", [0, 6, -1, 2.5])
    def test_severities_are_1_to_5(self, method, name, severity):
        with pytest.raises(UsageError, match="choose from 1, 2, 3, 4 and 5"):
            CORRUPTIONS.load(name)(cat(), severity, generator_of(name, 1, "a"))

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((9, 9), np.uint8),
            np.zeros((9, 9, 4), np.uint8),
            np.zeros((9, 9, 3), np.float32),
            np.zeros((0, 9, 3), np.uint8),
        ],
        ids=["grey", "alpha", "float", "empty"],
    )
    def test_anything_but_rgb_is_refused(self, method, name, image):
        with pytest.raises(BadInputError, match="RGB image"):
            method(image, 1)


def test_the_groups_hold_the_whole_benchmark():
    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped)) == 19
    assert {*grouped} == {*NAMES} - {"frost-synthetic"}
    assert {*grouped} - {*VALIDATION} == {*ALEXNET}
