"""Stages that need no image-level labels run whatever labels a folder has, and never ask for them."""

import numpy as np
import pytest

from tests.messages import Heard
from tests.stages.toy import CLASSES, COLOURS, write_classes, write_pair, write_rectangles
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.inputs.label_maps import label_maps_in_folder
from wsstool.stages.inputs.untagged import open_classes, open_images
from wsstool.stages.objects.propose import propose
from wsstool.stages.objects.select import select
from wsstool.stages.streams.info import info

TWO_LAYOUTS, MALFORMED = "two", "malformed"


@pytest.fixture(params=[TWO_LAYOUTS, MALFORMED])
def folder(request, tmp_path):
    """A folder whose labels fit two layouts, or name a class that is not in the list."""
    root = tmp_path / "data"
    root.mkdir()
    names = [f"{i} [1 0]" if request.param == TWO_LAYOUTS else f"{i}" for i in range(4)]
    for name in names:
        mask = np.zeros((40, 36), np.uint8)
        mask[5:20, 5:25] = 1
        write_pair(root, name, mask, np.zeros((40, 36, 3)), COLOURS)
    write_classes(root, CLASSES)
    label = "cat" if request.param == TWO_LAYOUTS else "emu"
    (root / "labels.csv").write_text("image,labels\n" + "".join(f"{name}.png,{label}\n" for name in names))
    return root


def test_proposals_boxes_masks_and_counts(folder, tmp_path):
    assert propose(folder, output=tmp_path / "p.h5", workers=0)["images"] == 4
    (folder / "labels").mkdir()
    for path in (folder / "images").iterdir():
        (folder / "labels" / f"{path.stem}.txt").write_text("0 .5 .5 .4 .4\n")
    assert select(folder, output=tmp_path / "s.h5", method="box")["images"] == 4
    maps = label_maps_in_folder(folder)
    assert maps.classes.names == CLASSES.names and len(maps.numbers) == 4
    heard = Heard()
    if "emu" in (folder / "labels.csv").read_text():
        with pytest.raises(BadInputError):  # it counts the labels, so they must be right
            info(folder)
        return
    assert info(folder, messages=heard)["images"] == 4
    assert "labels are not counted: " in heard.warned[0] and "with --labels" in heard.warned[0]
    assert info(folder, labels="table")["images_by_class"] == {"cat": 4}
    with pytest.raises(UsageError, match="does not have the layout 'class-folders'"):
        info(folder, labels="class-folders")


def test_a_class_list_that_only_the_labels_have_is_asked_for(folder):
    (folder / "classes.txt").unlink()
    if "emu" in (folder / "labels.csv").read_text():
        (folder / "labels.csv").write_text("image\n00\n")
    with pytest.raises((UsageError, BadInputError)) as error:
        label_maps_in_folder(folder)
    assert "labels" in str(error.value)
    assert not open_classes(folder, needs_classes=False).classes.names
    assert len(open_images(folder)) == 4


def test_a_split_that_is_not_there_is_said_as_before(tmp_path):
    (tmp_path / "data").mkdir()
    root = write_rectangles(tmp_path / "data", 2)
    with pytest.raises(UsageError, match="no split 'x'"):
        open_images(root, split="x")
