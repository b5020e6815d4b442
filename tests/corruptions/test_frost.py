"""Frost: photographs from a folder or from the optional package."""

import numpy as np
import pytest
from PIL import Image

from tests.corruptions.pictures import cat
from wsstool.corruptions import corrupt
from wsstool.corruptions import frost as frost_module
from wsstool.errors import BadInputError, MissingInputError


def photo(folder, name="ice.png", size=(300, 260), level=200):
    folder.mkdir(exist_ok=True)
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(folder / name)
    return str(folder)


def frozen(folder, severity=1, image=None, name="a"):
    return corrupt(cat() if image is None else image, "frost", severity, image_name=name, textures=folder)


def test_the_photograph_is_mixed_in(tmp_path):
    found = frozen(photo(tmp_path / "ice"), 3)
    expected = np.clip(0.7 * cat() + 0.7 * 200, 0, 255)
    assert np.abs(found - expected).max() <= 1


def test_colours_are_those_of_the_file(tmp_path):
    Image.new("RGB", (300, 300), (250, 0, 100)).save(tmp_path / "pink.png")
    found = frozen(str(tmp_path), 1, np.zeros((8, 8, 3), np.uint8))
    assert np.abs(found[0, 0].astype(int) - [100, 0, 40]).max() <= 1


def test_one_photograph_of_the_folder_is_drawn(tmp_path):
    for level in (100, 200):
        photo(tmp_path / "ice", f"{level}.png", level=level)
    black = np.zeros((4, 4, 3), np.uint8)
    assert {int(frozen(str(tmp_path / "ice"), 1, black, str(i)).max()) for i in range(20)} == {40, 80}


def test_crops_differ_by_image(tmp_path):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, 0).repeat(3, 2)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    black = np.zeros((4, 4, 3), np.uint8)
    assert len({int(frozen(str(tmp_path), 1, black, str(i))[0, 0, 0]) for i in range(20)}) > 5


def test_a_small_photograph_is_enlarged(tmp_path):
    found = frozen(photo(tmp_path / "ice", size=(7, 90)), 3)
    assert np.abs(found - np.clip(0.7 * cat() + 0.7 * 200, 0, 255)).max() <= 1


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_a_folder_without_photographs(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingInputError, match=folder):
        frozen(str(tmp_path / folder))


def test_a_broken_photograph(tmp_path):
    (tmp_path / "ice.png").write_bytes(b"no image")
    with pytest.raises(BadInputError, match=r"ice\.png"):
        frozen(str(tmp_path))


def test_without_the_package_the_message_names_the_ways_out(monkeypatch):
    monkeypatch.setattr(frost_module, "find_spec", lambda name: None)
    with pytest.raises(MissingInputError, match=r"wsstool\[corruptions\].*--frost FOLDER.*frost-synthetic"):
        frozen("")
