"""Overlays colour what they should, and nothing else."""

import io

import numpy as np
import pytest
from PIL import Image

from wsstool.report.overlays import (
    WIDEST,
    blend,
    blend_scores,
    errors,
    fitted,
    jpeg,
    label_borders,
    stacked,
    strip,
    titled,
)

PALETTE = np.zeros((256, 3), np.uint8)
PALETTE[1], PALETTE[2] = (200, 0, 0), (0, 200, 0)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def test_blend_tints_classes_and_leaves_background(image):
    labels = np.zeros((12, 16), np.uint8)
    labels[:, 8:] = 1
    mixed = blend(image, labels, PALETTE, background=0, opacity=0.5, outline=False)
    assert (mixed[:, :8] == image[:, :8]).all()
    assert np.abs(mixed[:, 8:] - (image[:, 8:] + PALETTE[1].astype(float)) / 2).max() <= 0.5
    outlined = blend(image, labels, PALETTE, background=0)
    assert (outlined[:, 7] == 255).all() and (outlined[:, :7] == image[:, :7]).all()


def test_opacity_one_shows_the_palette(image):
    labels = np.full((12, 16), 2, np.uint8)
    assert (blend(image, labels, PALETTE, opacity=1) == PALETTE[2]).all()
    with pytest.raises(ValueError, match="labels have shape"):
        blend(image, labels[:5], PALETTE)


def test_void_is_hatched_not_coloured(image):
    void = np.full((12, 16), 255, np.uint8)
    shown = blend(image, void, PALETTE).astype(int)
    assert np.ptp(shown, axis=2).max() <= 1 and len(np.unique(shown)) > 2


def test_scores_take_the_colour_of_the_strongest(image):
    scores = np.zeros((2, 12, 16), np.float32)
    scores[1, :, 8:] = 1
    shown = blend_scores(image, scores, [1, 2], PALETTE, opacity=1)
    grey = image.astype(np.float32).mean(axis=2)
    assert np.abs(shown[:, :8, 0] - grey[:, :8]).max() <= 0.5
    assert (shown[:, 8:] == PALETTE[2]).all()
    assert np.ptp(blend_scores(image, scores[:0], [], PALETTE), axis=2).max() == 0


def test_errors_leave_ignored_truth_alone(image):
    truth = np.array([[1, 255], [2, 2]], np.uint8).repeat(6, 0).repeat(8, 1)
    shown = errors(image, np.full((12, 16), 1, np.uint8), truth)
    coloured = np.ptp(shown.astype(int), axis=2) > 3
    assert (coloured == ((truth != 1) & (truth != 255))).all()


def test_borders_and_strips(image):
    assert label_borders(np.array([[1, 2], [1, 2]], np.uint8)).tolist() == [[True, False], [True, False]]
    sheet = strip([image, image[:, :8]], ["image", "CAM"], height=24)
    assert sheet.shape == (24 + 18, 32 + 4 + 16, 3)
    assert stacked([sheet, sheet[:, :20]]).shape == (2 * (42 + 4), 52, 3)


def test_jpeg_is_deterministic(image):
    data = jpeg(image)
    assert data == jpeg(image) and Image.open(io.BytesIO(data)).size == (16, 12)


def test_very_oblong_pictures_stay_within_what_a_jpeg_holds():
    for size in ((3, 2000), (2000, 3), (1, 9000)):
        shown = fitted(np.zeros((*size, 3), np.uint8), 200)
        assert max(shown.shape) <= WIDEST and min(shown.shape[:2]) >= 1 and jpeg(shown)


def test_a_title_takes_the_lines_that_it_needs():
    image = np.full((30, 120, 3), 7, np.uint8)
    heights = []
    for words in (1, 12, 24):
        sheet = titled(image, "word " * words)
        assert sheet.shape[1] == 120 and np.array_equal(sheet[-30:], image)
        title = sheet[:-30]
        assert title.min() < 100 and (title[:, -2:] == 255).all()  # text that ends before the border
        heights.append(len(title))
    assert heights[0] == 18 and heights[1] % 18 == heights[2] % 18 == 0
    assert heights[0] < heights[1] < heights[2]
    assert titled(image, "unbreakable" * 9).shape == (48, 120, 3)  # cut, not stretched
    assert titled(image, "").shape == (48, 120, 3)
