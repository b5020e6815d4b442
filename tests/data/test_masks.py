"""Masks: what is written is read back, and what cannot be understood is refused."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from wsstool.data.masks import read_mask, write_mask
from wsstool.data.palettes import NAMES, OKABE_ITO, class_palette, named_palette, voc_palette
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.types import ClassList

CLASSES = ClassList(("background", "cat", "dog"), 0, ((0, 0, 0), (10, 20, 30), (40, 50, 60)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_round_trip(tmp_path, mask):
    write_mask(tmp_path / "m.png", mask)
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "P"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=hnp.arrays(np.uint8, (5, 4), elements=st.sampled_from([0, 1, 2, 255])))
def test_the_three_spellings_agree(tmp_path, mask):
    write_mask(tmp_path / "p.png", mask, CLASSES)
    with Image.open(tmp_path / "p.png") as picture:
        picture.convert("RGB").save(tmp_path / "rgb.png")
    Image.fromarray(mask).save(tmp_path / "grey.png")
    Image.fromarray(mask.astype(np.uint16)).save(tmp_path / "deep.png")
    for name in ("p", "rgb", "grey", "deep"):
        assert np.array_equal(read_mask(tmp_path / f"{name}.png", CLASSES), mask), name


def test_grey_saved_as_colour_is_read_as_ids(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    Image.fromarray(np.repeat(mask[..., None], 3, 2)).save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)


def test_void_values_become_ignore(tmp_path):
    write_mask(tmp_path / "m.png", np.array([[0, 4]], np.uint8))
    assert read_mask(tmp_path / "m.png", CLASSES, void=[4]).tolist() == [[0, 255]]


def test_unknown_values_are_refused(tmp_path):
    write_mask(tmp_path / "m.png", np.array([[0, 7]], np.uint8))
    with pytest.raises(BadInputError, match=r"m\.png.*class 7.*ends at 2 \(dog\)"):
        read_mask(tmp_path / "m.png", CLASSES)
    Image.fromarray(np.array([[0, 300]], np.uint16)).save(tmp_path / "m.png")
    with pytest.raises(BadInputError, match="contains 300"):
        read_mask(tmp_path / "m.png")


def test_unknown_colours_are_refused(tmp_path):
    Image.fromarray(np.array([[[10, 20, 31]]], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(BadInputError, match=r"colour \(10, 20, 31\)"):
        read_mask(tmp_path / "m.png", CLASSES)
    with pytest.raises(BadInputError, match="has no colours"):
        read_mask(tmp_path / "m.png")


def test_damaged_or_missing(tmp_path):
    write_mask(tmp_path / "m.png", np.random.default_rng(0).integers(0, 255, (50, 50)).astype(np.uint8))
    (tmp_path / "m.png").write_bytes((tmp_path / "m.png").read_bytes()[:900])
    with pytest.raises(BadInputError, match=r"m\.png"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(MissingInputError):
        read_mask(tmp_path / "gone.png")


def test_writing_is_all_or_nothing(tmp_path):
    with pytest.raises(CannotWriteError, match="nowhere"):
        write_mask(tmp_path / "nowhere" / "m.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        write_mask(tmp_path / "m.png", np.zeros((2, 2), np.int64))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(CannotWriteError):
        write_mask(tmp_path / "folder.png", np.zeros((2, 2), np.uint8))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.png"]


def test_voc_palette_is_the_published_one():
    palette = voc_palette()
    assert palette[15].tolist() == [192, 128, 128]  # person
    assert palette[20].tolist() == [0, 64, 128]  # tv monitor
    assert palette[255].tolist() == [224, 224, 192]
    assert len({tuple(c) for c in palette.tolist()}) == 256


@pytest.mark.parametrize("background", [-1, 0, 2])
def test_only_the_background_is_black(background):
    palette = class_palette(ClassList(("a", "b", "c", "d"), background))
    black = [i for i in range(4) if not palette[i].any()]
    assert black == ([background] if background >= 0 else [])
    others = [i for i in range(4) if i != background]
    assert palette[others].tolist() == voc_palette()[1 : len(others) + 1].tolist()
    assert palette[255].tolist() == [224, 224, 192]
    own = ClassList(("a", "b"), -1, ((0, 0, 0), (1, 2, 3)))
    assert class_palette(own)[:2].tolist() == [[0, 0, 0], [1, 2, 3]]


def test_palettes_by_name():
    for name in NAMES:
        assert named_palette(name).shape == (256, 3)
    assert named_palette("okabe-ito")[7].tolist() == list(OKABE_ITO[7])
    assert class_palette(CLASSES)[[1, 255]].tolist() == [[10, 20, 30], [224, 224, 192]]
    with pytest.raises(UsageError, match="no palette 'pink'"):
        named_palette("pink")
