"""What label maps cannot hold is refused, and ground truth for training is read as ``eval`` reads it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.messages import Heard
from tests.stages.chain import SIZE, header_of, predicted, truth_of, write_data, write_masks
from wsstool import store
from wsstool.data.classlist import class_list, write_class_list
from wsstool.data.masks import write_mask
from wsstool.errors import BadInputError
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.label_maps import label_maps_in_folder, open_label_maps, open_validation
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.scoring.evaluate import evaluate


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")


def many(n: int, background: int = 0):
    return class_list([("background" if k == background else f"c{k}") for k in range(n)])


@pytest.mark.parametrize(
    ("ids", "background", "fits"), [([254], 0, True), ([255], 0, False), ([3], 300, False)]
)
def test_255_means_ignore(ids: list[int], background: int, fits: bool) -> None:
    if fits:
        check_fits_label_map(np.array(ids), background)
    else:
        with pytest.raises(BadInputError, match="holds classes 0 to 254; the input has class"):
            check_fits_label_map(np.array(ids), background)


@pytest.mark.parametrize(("class_id", "background"), [(255, 0), (299, 0), (1, 299)])
def test_class_maps_of_more_classes(tmp_path: Path, data: Path, class_id: int, background: int) -> None:
    header = header_of(
        "cam",
        data,
        [0],
        labels=None,
        classes=many(300, background),
        shapes=np.array([[1, *SIZE]]),
        attributes={"layers": ["features"]},
        columns={
            "layer_size": np.tile(SIZE, (1, 1, 1)),
            "map_offset": np.array([0, 1]),
            "map_class": np.array([class_id]),
        },
    )
    with store.create(header, tmp_path / "c.h5") as writer:
        writer.write(np.ones((1, *SIZE)), scale=[1.0], score=[0.9])
    for stage in (
        lambda: pseudo_mask(tmp_path / "c.h5", output=tmp_path / "m.h5"),
        lambda: evaluate([tmp_path / "c.h5"], truth=data),
    ):
        with pytest.raises(BadInputError, match="holds classes 0 to 254; the input has class"):
            stage()


def test_masks_of_a_list_of_more_classes(tmp_path: Path, data: Path) -> None:
    """The ids of the masks are small, but the ground truth has a class with a large one."""
    (data / "classes.txt").write_text("c299\nc3\n")
    header = header_of(
        "mask", data, range(6), labels=None, classes=many(300), shapes=np.tile([1, *SIZE], (6, 1))
    )
    with store.create(header, tmp_path / "m.h5") as writer:
        for i in range(6):
            writer.write(predicted(i)[None])
    with pytest.raises(BadInputError, match="the input has class 299"):
        evaluate([tmp_path / "m.h5"])
    with pytest.raises(BadInputError, match="the input has class 299"):
        open_label_maps(tmp_path / "m.h5", data, None, None, None)


def test_validation_masks_follow_the_names(tmp_path: Path, data: Path) -> None:
    masks = write_masks(tmp_path / "m.h5", data)
    train = open_label_maps(masks, None, None, None, None)
    other = write_data(tmp_path / "other")
    (other / "labels.csv").unlink()
    write_class_list(other / "classes.txt", class_list(["square", "background", "circle"]))
    number = np.full(256, 255, np.uint8)
    number[:3] = [1, 2, 0]
    for i in range(6):
        write_mask(other / "masks" / f"p{i}.png", number[truth_of(i)])
    valid = open_validation(masks, train, other, None, None)
    assert valid is not None and valid.classes == train.classes
    assert all(np.array_equal(valid.masks(i)[0], truth_of(i)) for i in range(6))
    for names in ("circle square disc background", "background disc square"):
        write_class_list(other / "classes.txt", class_list(names.split()))
        says = f"background, circle, square; and {', '.join(names.split())}"
        with pytest.raises(BadInputError, match=says):
            open_validation(masks, train, other, None, None)


def test_black_and_white_masks_for_training(data: Path) -> None:
    (data / "classes.txt").write_text("0 background\n1 thing\n")
    (data / "labels.csv").unlink()
    for i in range(6):
        Image.fromarray((truth_of(i) % 255 > 0).astype(np.uint8) * 255).save(data / "masks" / f"p{i}.png")
    heard = Heard()
    found = label_maps_in_folder(data, messages=heard)
    assert all(np.array_equal(found.masks(i)[0], truth_of(i) % 255 > 0) for i in range(6))
    assert heard.said == ["the 6 masks hold only 0 and 255, so 255 is read as 'thing'"]
