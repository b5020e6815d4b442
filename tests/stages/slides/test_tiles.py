"""``tiles``: names, pixels, glass, resumption, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image

import wsstool
from tests.data.pictures.pyramids import scene, write_pyramid
from wsstool.data.dataset import open_dataset
from wsstool.data.pictures.tile_grid import tile_grid
from wsstool.errors import (
    BadInputError,
    BusyError,
    CannotWriteError,
    MissingInputError,
    UsageError,
)
from wsstool.stages.slides import tiles as module
from wsstool.stages.slides.tile_set import read_tile_set
from wsstool.stages.slides.tiles import tiles, tissue_share


@pytest.fixture
def slide(tmp_path):
    write_pyramid(tmp_path / "a.tif", scene())
    return tmp_path / "a.tif"


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("size, overlap", [(128, 0), (128, 40), (512, 0), (300, 299)])
def test_tiles_cover_the_picture_and_share_it_out(size, overlap):
    for sides in ((300, 410), (128, 129), (1, 1)):
        grid = tile_grid(sides, size, overlap, 1.0)
        count, covered = np.zeros(sides, int), np.zeros(sides, bool)
        height, width = grid.shape()
        for top, left in grid.places():
            assert top + height <= sides[0] and left + width <= sides[1]
            rows, columns = grid.share(top, left)
            assert top <= rows.start < rows.stop <= top + height
            assert left <= columns.start < columns.stop <= left + width
            count[rows, columns] += 1
            covered[top : top + height, left : left + width] = True
        assert covered.all() and (count == 1).all()
        for starts in (grid.tops, grid.lefts):
            assert all(b - a <= size - overlap for a, b in itertools.pairwise(starts))


def test_names_tell_tiles_apart_at_any_downsample():
    grid = tile_grid((400, 400), 100, 99, 1.0003)
    assert len({grid.name(*place) for place in grid.places()}) == 301**2


def test_tiles_are_the_pixels_at_their_names(slide, tmp_path):
    made = tiles([slide], output=tmp_path / "t", size=128, tissue=False)
    assert made == {
        "output": str(tmp_path / "t"),
        "slides": 1,
        "tiles": 12,
        "glass": 0,
        "up_to_date": False,
    }
    names = sorted(p.name for p in (tmp_path / "t/images/a").iterdir())
    assert names[0] == "x00000000_y00000000.png" and names[-1] == "x00000282_y00000172.png"
    for name in names:
        x, y = int(name[1:9]), int(name[11:19])
        np.testing.assert_array_equal(
            pixels(tmp_path / "t/images/a" / name), scene()[y : y + 128, x : x + 128]
        )


def test_names_of_a_coarse_level_are_in_full_pixels(slide, tmp_path):
    tiles([slide], output=tmp_path / "t", size=64, level=1, tissue=False)
    part = pixels(tmp_path / "t/images/a/x00000128_y00000172.png")
    np.testing.assert_array_equal(part, scene()[172:300:2, 128:256:2])
    found = read_tile_set(tmp_path / "t")[1][0]
    assert (found.level, found.grid.downsample, found.mpp, found.tile_mpp) == (1, 2, 0.5, 1.0)
    assert (found.rows, found.columns, found.grid.size) == (300, 410, (150, 205))


def test_microns_per_pixel(slide, tmp_path):
    tiles([slide], output=tmp_path / "t", size=64, mpp=1.5, tissue=False)
    found = read_tile_set(tmp_path / "t")[1][0]
    assert (found.level, found.grid.size) == (1, (100, 136))
    assert found.tile_mpp == pytest.approx(1.5)
    part = pixels(tmp_path / "t/images/a/x00000216_y00000108.png").astype(int)
    expected = scene()[108:300, 216:408].reshape(64, 3, 64, 3, 3).mean((1, 3))
    assert np.abs(part - expected).max() <= 2


def test_glass_is_left_out_white_or_not_scanned(tmp_path):
    picture = np.full((256, 384, 3), 245, np.uint8)
    picture[:128, :128] = (180, 60, 120)
    picture[128:140, 128:256] = (180, 60, 120)  # a share of .094
    picture[:128, 256:] = 0
    write_pyramid(tmp_path / "a.tif", picture, 1)
    made = tiles([tmp_path / "a.tif"], output=tmp_path / "t", size=128)
    assert (made["tiles"], made["glass"]) == (2, 4)
    assert sorted(files(tmp_path / "t")) == [
        "images/a/x00000000_y00000000.png",
        "images/a/x00000128_y00000128.png",
        "tiles.json",
    ]
    assert tiles([tmp_path / "a.tif"], output=tmp_path / "u", size=128, min_tissue=0.1)["tiles"] == 1
    assert tissue_share(picture[128:, 128:256]) == pytest.approx(12 / 128)


def test_only_glass_is_an_error_and_leaves_nothing(tmp_path):
    write_pyramid(tmp_path / "a.tif", np.full((100, 100, 3), 250, np.uint8), 1)
    with pytest.raises(BadInputError, match="lower --min-tissue"):
        tiles([tmp_path / "a.tif"], output=tmp_path / "t")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_slides_are_no_classes(tmp_path):
    """A folder per slide looks like a folder per class."""
    for name in ("a.tif", "b.tif"):
        write_pyramid(tmp_path / name, scene(), 1)
    tiles([tmp_path / "a.tif", tmp_path / "b.tif"], output=tmp_path / "t", size=256)
    data = open_dataset(tmp_path / "t", untagged=True)
    assert data.layout == "images" and data.labels is None and len(data.names) == 8
    assert data.names[0] == "images/a/x00000000_y00000000.png"


def test_equal_inputs_give_equal_bytes_and_are_up_to_date(slide, tmp_path):
    tiles([slide], output=tmp_path / "t", size=128)
    (tmp_path / "t/labels.csv").write_text("the user's own")
    before = files(tmp_path / "t")
    assert tiles([slide], output=tmp_path / "t", size=128)["up_to_date"]
    assert files(tmp_path / "t") == before
    shutil.copy(slide, tmp_path / "copy.tif")
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(slide, tmp_path / "elsewhere/a.tif")
    assert tiles([tmp_path / "elsewhere/a.tif"], output=tmp_path / "t", size=128)["up_to_date"]
    with pytest.raises(UsageError, match="not this tile set; --force"):
        tiles([slide], output=tmp_path / "t", size=64)
    next((tmp_path / "t/images/a").iterdir()).unlink()
    with pytest.raises(UsageError, match="not this tile set; --force"):
        tiles([slide], output=tmp_path / "t", size=128)
    assert tiles([slide], output=tmp_path / "t", size=128, force=True)["tiles"] == 12
    del before["labels.csv"]
    assert files(tmp_path / "t") == before


def test_from_python_and_on_a_fresh_path(slide, tmp_path):
    found = wsstool.tiles([slide], output=tmp_path / "deep/er/t", size=128)
    assert found["tiles"] == 12 and (tmp_path / "deep/er/t/tiles.json").is_file()


def test_a_broken_slide_among_others_writes_nothing(slide, tmp_path):
    (tmp_path / "b.svs").write_bytes(slide.read_bytes()[:5])
    with pytest.raises(BadInputError, match=r"b\.svs"):
        tiles([slide, tmp_path / "b.svs"], output=tmp_path / "t")
    content = slide.read_bytes()
    slide.write_bytes(content[: len(content) // 3])
    with pytest.raises(BadInputError, match=r"a\.tif"):
        tiles([slide], output=tmp_path / "t")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "b.svs"]


def test_refusals(slide, tmp_path):
    (tmp_path / "more").mkdir()
    shutil.copy(slide, tmp_path / "more/a.tif")
    shutil.copy(slide, tmp_path / "masks.tif")
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/own.txt").write_text("mine")
    for wrong, options, why in (
        (UsageError, {"slides": [slide, tmp_path / "more/a.tif"]}, "same name, 'a'"),
        (UsageError, {"slides": [tmp_path / "masks.tif"]}, "rename the slide"),
        (UsageError, {"overlap": 64}, "fewer pixels than the 64 of a tile"),
        (UsageError, {"output": tmp_path / "full"}, "--force"),
        (UsageError, {"min_tissue": 0}, r"--min-tissue"),
        (BadInputError, {"level": 7}, r"has no level 7; it has levels 0 \(410 x 300\)"),
        (BadInputError, {"mpp": 0.1}, "finer than it was scanned"),
        (CannotWriteError, {"output": tmp_path / "file"}, "is a file"),
        (MissingInputError, {"slides": [tmp_path / "none.svs"]}, "there is no slide"),
    ):
        with pytest.raises(wrong, match=why):
            tiles(**{"slides": [slide], "output": tmp_path / "t", "size": 64, **options})
    assert not (tmp_path / "t").exists() and (tmp_path / "full/own.txt").read_text() == "mine"


def test_two_processes_on_one_output(slide, tmp_path):
    (tmp_path / ".t.unfinished").mkdir()
    with filelock.FileLock(tmp_path / ".t.unfinished/.lock"), pytest.raises(BusyError):
        tiles([slide], output=tmp_path / "t")


def test_a_full_disk_keeps_what_is_written(slide, tmp_path, monkeypatch):
    expected = tiles([slide], output=tmp_path / "whole", size=64)["tiles"]
    replace, left = os.replace, [5]

    def until_full(source, target):
        left[0] -= 1
        if not left[0]:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(module.os, "replace", until_full)
    with pytest.raises(CannotWriteError, match="No space left"):
        tiles([slide], output=tmp_path / "t", size=64)
    assert not (tmp_path / "t").exists()
    monkeypatch.undo()
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / ".t.unfinished").rglob("x*.png")}
    assert len(kept) == 4
    assert tiles([slide], output=tmp_path / "t", size=64)["tiles"] == expected
    assert files(tmp_path / "t") == files(tmp_path / "whole")
    for path, written in kept.items():
        assert (tmp_path / "t" / path.relative_to(tmp_path / ".t.unfinished")).stat().st_mtime_ns == written
    assert not (tmp_path / ".t.unfinished").exists()


def test_another_run_does_not_take_over_what_is_unfinished(slide, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    tiles([slide], output=tmp_path / "whole", size=128)
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", full)
        with pytest.raises(CannotWriteError):
            tiles([slide], output=tmp_path / "t", size=64)
    tiles([slide], output=tmp_path / "t", size=128)
    assert files(tmp_path / "t") == files(tmp_path / "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_killed_and_run_again(tmp_path):
    write_pyramid(tmp_path / "a.tif", scene(900, 1200), 1)
    command = [sys.executable, "-m", "wsstool", "tiles", "a.tif", "--size", "32", "-q", "-o"]
    killed = subprocess.Popen([*command, "t"], cwd=tmp_path)
    deadline = time.monotonic() + 30
    while len(list((tmp_path / ".t.unfinished").rglob("x*.png"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "t").exists() and (tmp_path / ".t.unfinished").exists()
    assert tiles([tmp_path / "a.tif"], output=tmp_path / "t", size=32)["tiles"] == 29 * 38
    tiles([tmp_path / "a.tif"], output=tmp_path / "whole", size=32)
    assert files(tmp_path / "t") == files(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": "wsstool tiles 1"}', '{"format": "x"}'])
def test_a_damaged_description(tmp_path, damage):
    (tmp_path / "tiles.json").write_text(damage)
    with pytest.raises(BadInputError, match="not the description of a tile set, or damaged"):
        read_tile_set(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"tops": []}, {"tops": [5, 0]}, {"lefts": [10**6]}, {"size": 0}, {"downsample": 0}, {"tops": "x"}],
)
def test_a_description_of_impossible_places(slide, tmp_path, changes):
    tiles([slide], output=tmp_path / "t", size=128)
    content = json.loads((tmp_path / "t/tiles.json").read_text())
    content["slides"][0] |= changes
    (tmp_path / "t/tiles.json").write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="not the description of a tile set, or damaged"):
        read_tile_set(tmp_path / "t")
