"""Classes of two lists are matched by name; what cannot be matched is refused with both lists."""

import numpy as np
import pytest

from wsstool.data.class_match import class_ids, extended, joined_classes, labels_by_name
from wsstool.data.classlist import class_list
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def lists(text):
    return class_list(text.split())


@pytest.mark.parametrize(
    ("known", "other", "joined", "ids"),
    [
        ("background cat dog", "background dog cat", "background cat dog", [0, 2, 1]),
        ("background a b c", "c a b", "background a b c", [3, 1, 2]),
        ("c a b", "background a b c", "c a b background", [3, 1, 2, 0]),
        ("background cat", "background cat dog", "background cat dog", [0, 1, 2]),
        ("background cat dog", "background dog", "background cat dog", [0, 2]),
        ("a b", "background a", "a b background", [2, 0]),
        ("background cat", "cat _background_", "background cat", [1, 0]),
        ("background class-1 class-2", "cat dog", "background class-1 class-2", [1, 2]),
        ("class-0 class-1", "background cat dog", "class-0 class-1 background", [2, 0, 1]),
    ],
)
def test_numbers_follow_the_names(known, other, joined, ids):
    both, found = joined_classes(lists(known), lists(other), "a and b")
    assert both.names == tuple(joined.split()) and found.tolist() == ids
    assert both.background == (both.names.index("background") if "background" in joined else -1)


@pytest.mark.parametrize(
    ("known", "other"),
    [
        ("background cat dog", "background cat hound"),
        ("background cat", "background dog"),
        ("cat", "background"),
        ("Cat Dog", "cat dog"),
        ("class-0 class-1 class-2", "cat dog"),
    ],
)
def test_both_lists_are_named_where_names_do_not_match(known, other):
    text = f"^'a' and 'b' have different .*: {', '.join(known.split())}; and {', '.join(other.split())}$"
    with pytest.raises(BadInputError, match=text):
        joined_classes(lists(known), lists(other), "'a' and 'b'")


def test_spellings_of_one_name():
    composed, decomposed = "b\u00e4r", "ba\u0308r"
    known = ClassList(("__background__", "potted plant", composed, "x_y", "x y"), 0)
    names = ["Background", "potted_plant", decomposed, "x y", "x_y", "Potted plant"]
    assert class_ids(known, names) == [0, 1, 2, 4, 3, -1]


def test_appended_classes_leave_numbers_and_colours():
    known = ClassList(("cat", "dog"), -1, ((1, 2, 3), (4, 5, 6)))
    more = extended(known, ["background", "emu"])
    assert more.names == ("cat", "dog", "background", "emu") and more.background == 2
    assert more.palette[:2] == known.palette and len(more.palette) == 4
    assert extended(known, []) is known


def test_labels_move_with_their_names():
    labels = np.array([[0, 1, 0], [0, 1, 1]], np.uint8)
    found, lost = labels_by_name(labels, lists("background dog cat"), lists("cat dog"), "a and b")
    assert found.tolist() == [[0, 1], [1, 1]] and lost == []
    found, lost = labels_by_name(labels, lists("background dog emu"), lists("background dog"), "a and b")
    assert found.tolist() == [[0, 1], [0, 1]] and lost == ["emu"]
