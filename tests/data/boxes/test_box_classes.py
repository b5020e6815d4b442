"""The class list of boxes: names decide, and the numbers of the data folder never change."""

import pytest

from tests.messages import Heard
from wsstool.data.boxes.box_classes import box_classes
from wsstool.data.classlist import class_list
from wsstool.data.formats import WrittenBox, WrittenBoxes
from wsstool.errors import BadInputError
from wsstool.types import ClassList

KNOWN = class_list(["background", "wild_dog", "cat"], [(0, 0, 0), (1, 1, 1), (2, 2, 2)])


def found(used, listed, known=KNOWN):
    rows = tuple(WrittenBox("a", name, (0, 0, 1, 1)) for name in used)
    heard = Heard()
    written = WrittenBoxes("x", "xyxy", {"a": None}, rows, class_list(["background", *listed]))
    return *box_classes(written, known, heard), heard.text


def test_the_list_of_the_folder_holds_in_whatever_order_the_file_lists_them():
    classes, ids, said = found(["cat", "wild dog"], ["cat", "emu", "wild dog"])
    assert classes == KNOWN and ids == {"cat": 2, "wild dog": 1} and not said


def test_a_class_more_is_added_at_the_end_and_said():
    classes, ids, said = found(["fox", "cat"], ["cat", "fox", "wild dog"])
    assert classes.names == (*KNOWN.names, "fox") and classes.background == 0 and len(classes.palette) == 4
    assert classes.palette[:3] == KNOWN.palette and ids == {"cat": 2, "fox": 3}
    assert said == "the class list lacks 'fox', added at its end: wild_dog, cat; x has cat, fox, wild dog"


def test_what_may_be_another_spelling_is_refused_with_both_lists():
    message = "boxes of class 'dog', which the class list lacks: wild_dog, cat; x has cat, dog; name another"
    with pytest.raises(BadInputError, match=message):
        found(["dog", "cat"], ["cat", "dog"])


def test_classes_of_another_kind_keep_their_own_list_which_is_said():
    classes, ids, said = found(["nucleus"], ["nucleus"])
    assert classes.names == ("background", "nucleus") and ids == {"nucleus": 1}
    assert "has none of the classes of the boxes: wild_dog, cat; x has nucleus" in said
    classes, _, said = found(["nucleus"], ["nucleus"], ClassList(()))
    assert classes.names == ("background", "nucleus") and not said


def test_a_class_that_the_source_itself_does_not_list():
    with pytest.raises(BadInputError, match="contains a box of a class that it does not list"):
        found(["emu"], ["nucleus"], ClassList(()))


@pytest.mark.parametrize("name", ["background", "Background", "__background__"])
def test_objects_of_the_background_are_said(name):
    _, ids, said = found([name, "cat"], ["cat"], class_list([name, "cat"]))
    assert ids == {name: 0, "cat": 1} and said == f"1 objects of x have the class '{name}', the background"
