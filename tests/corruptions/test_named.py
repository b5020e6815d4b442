"""Names, groups and generators."""

import numpy as np
import pytest

from tests.corruptions.pictures import cat
from wsstool.corruptions import GROUPS, corrupt, generator_of, selected
from wsstool.errors import UsageError
from wsstool.registry import CORRUPTIONS


class TestSelected:
    def test_nothing_is_the_whole_benchmark(self):
        assert selected() == tuple(name for names in GROUPS.values() for name in names)

    def test_groups_and_names_in_their_order_and_once(self):
        assert selected(["fog", "extra", "zoom_blur", "weather"]) == (
            *("fog", "zoom-blur", "elastic-transform"),
            *("snow", "frost", "spatter", "brightness"),
        )

    def test_what_is_in_no_group_can_be_named(self):
        assert selected(["frost-synthetic"]) == ("frost-synthetic",)

    def test_an_unknown_word_is_refused_with_the_known_ones(self):
        with pytest.raises(UsageError, match=r"no corruption 'rain'.*noise, blur.*gaussian-noise"):
            selected(["fog", "rain"])


class TestGenerator:
    def test_each_part_counts(self):
        cases = [("fog", 1, "a", 0), ("snow", 1, "a", 0), ("fog", 2, "a", 0), ("fog", 1, "b", 0)]
        cases += [("fog", 1, "a", 1), ("fog", 1, "a\0", 0), ("fog", 11, "a", 0), ("fog", 1, "1a", 0)]
        assert len({generator_of(*case).random() for case in cases}) == len(cases)

    def test_stays_what_it_was(self):
        """Scores of finished runs can be repeated."""
        drawn = generator_of("fog", 3, "cat.png", 5).integers(0, 1000, 4)
        assert drawn.tolist() == [543, 486, 308, 724]

    def test_numbers_of_numpy_and_odd_file_names(self):
        assert generator_of("fog", np.int64(3), "a").random() == generator_of("fog", 3, "a").random()
        assert 0 <= generator_of("fog", 3, b"\xff.png".decode("utf-8", "surrogateescape")).random() < 1


class TestCorrupt:
    def test_is_the_method_with_its_generator(self):
        expected = CORRUPTIONS.load("shot-noise")(cat(), 2, generator_of("shot-noise", 2, "a", 9))
        found = corrupt(cat(), "shot_noise", 2, image_name="a", seed=9)
        np.testing.assert_array_equal(found, expected)
        assert not np.array_equal(found, corrupt(cat(), "shot-noise", 2, image_name="a", seed=8))

    def test_an_unknown_name_is_refused(self):
        with pytest.raises(UsageError, match="rain"):
            corrupt(cat(), "rain", 1, image_name="a")
