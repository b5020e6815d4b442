"""Class lists agree by name, never by number."""

from __future__ import annotations

import pytest

from wsstool.errors import BadInputError
from wsstool.types import ClassList

ANIMALS = ClassList(("background", "cat", "emu"), 0)


class TestRequireSame:
    def test_equal_names_pass_whatever_the_background_and_the_colours(self):
        ANIMALS.require_same(ClassList(ANIMALS.names, -1, ((0, 0, 0),) * 3), "a and b")

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (
                ("background", "cat", "dog"),
                "^a and b have different classes: background, cat, emu; and background, cat, dog$",
            ),
            (
                ("background", "cat"),
                "^a and b have different classes: background, cat, emu; and background, cat$",
            ),
            (
                ("background", "emu", "cat"),
                "^a and b have their classes in a different order: background, cat, emu; and b",
            ),
        ],
    )
    def test_others_are_refused_with_one_that_differs(self, names, message):
        with pytest.raises(BadInputError, match=message):
            ANIMALS.require_same(ClassList(names, 0), "a and b")
