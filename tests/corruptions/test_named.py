"""Names, groups and generators."""

import numpy as np
import pytest

from tests.corruptions.pictures import cat
from wsstool.corruptions import GROUPS, corrupt, generator_of, moved, one_of, selected
from wsstool.corruptions.elastic import displacement, warp_mask
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

    @pytest.mark.parametrize(
        ("word", "near"), [("fogg", "fog"), ("zoom_blurr", "zoom-blur"), ("nois", "noise")]
    )
    def test_the_nearest_name_is_suggested(self, word, near):
        with pytest.raises(UsageError, match=rf"no corruption '{word}'; did you mean '{near}'\?"):
            selected([word])


class TestOneOf:
    def test_takes_both_spellings_of_one_corruption(self):
        assert one_of("zoom_blur") == one_of("zoom-blur") == "zoom-blur"

    def test_a_group_is_not_one(self):
        with pytest.raises(UsageError, match="'extra' is a group of corruptions; choose one: zoom-blur,"):
            one_of("extra")


class TestMoved:
    def test_is_the_mask_of_the_moved_image(self):
        mask = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)
        field = displacement(
            np.zeros((40, 50, 3), np.uint8), 4, generator_of("elastic-transform", 4, "a.png", 2)
        )
        found = moved(mask, "elastic_transform", 4, image_name="a.png", seed=2)
        assert np.array_equal(found, warp_mask(mask, field)) and not np.array_equal(found, mask)

    @pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"elastic-transform"}))
    def test_nothing_else_moves_a_mask(self, name):
        mask = np.zeros((4, 5), np.uint8)
        assert moved(mask, name, 5, image_name="a") is mask


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
