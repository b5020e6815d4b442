"""Shapes, maps and colours as masks, and the quality that needs no truth."""

import numpy as np
import pytest
import skimage.data
from skimage.transform import resize

from wsstool.errors import UsageError
from wsstool.registry import FILLERS
from wsstool.selection.confidence import agreement, box_fit, quality
from wsstool.selection.fillers.grabcut import grabcut
from wsstool.selection.fillers.grabcut_map import grabcut_map
from wsstool.selection.fillers.graph_cut import pairs_of
from wsstool.selection.fillers.simple import box, ellipse, prior, rim


def test_shapes_by_hand():
    window = np.array([1, 1, 5, 5], np.float32)
    assert box((6, 6), window).sum() == 16
    assert ellipse((6, 6), window).sum() == 12  # the corners are cut
    assert rim((6, 6), window, width=0.25)[1:5, 1:5].tolist()[1] == [255, 1, 1, 255]


def test_the_ellipse_has_its_area():
    assert ellipse((300, 200), np.array([10, 20, 190, 280])).sum() == pytest.approx(
        np.pi / 4 * 180 * 260, rel=0.002
    )


def test_the_map_and_its_unsure_pixels():
    values = np.array([[0.9, 0.55, 0.4, np.nan, 0.9]], np.float32)
    assert prior((1, 5), np.array([0, 0, 4, 1]), values).tolist() == [[1, 1, 0, 0, 0]]
    unsure = prior((1, 5), np.array([0, 0, 4, 1]), values, unsure=0.2)
    assert unsure.tolist() == [[1, 255, 255, 0, 0]]


def test_the_map_exactly_at_its_limits():
    values = np.array([[0.25, 0.3125, 0.5, 0.75]], np.float32)
    assert prior((1, 4), np.array([0, 0, 4, 1]), values).tolist() == [[0, 0, 1, 1]]
    assert prior((1, 4), np.array([0, 0, 4, 1]), values, unsure=0.25).tolist() == [[0, 255, 255, 1]]


@pytest.mark.parametrize(("size", "side"), [((60, 60), 128), ((240, 200), 128), ((60, 60), 40)])
def test_grabcut_finds_what_has_its_own_colour(size, side):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = ((rows / size[0] - 0.5) ** 2 + (columns / size[1] - 0.5) ** 2) < 0.3**2
    image = np.where(inside[..., None], (190, 70, 50), (70, 110, 80)) + rng.normal(0, 25, (*size, 3))
    given = np.array([0.17 * size[1], 0.17 * size[0], 0.83 * size[1], 0.83 * size[0]], np.float32)
    mask = grabcut(size, given, image.clip(0, 255).astype(np.uint8), longest_side=side) == 1
    assert (mask & inside).sum() / (mask | inside).sum() > (0.97 if side >= max(size) else 0.9)


def test_grabcut_where_nothing_lies_around_the_box():
    image = np.full((30, 30, 3), 40, np.uint8)
    image[8:22, 8:22] = 220
    mask = grabcut((30, 30), np.array([0, 0, 30, 30]), image)
    assert (mask == 1).sum() == 14 * 14


def test_costs_of_edges_are_the_published_ones():
    """gamma exp(-beta |z_p - z_q|^2) / |p - q|, beta = 1 / (2 <|z_p - z_q|^2>)."""
    board = np.zeros((2, 2, 3))
    board[0, 0, 0] = board[1, 1, 0] = 7.0  # the mean of four pairs at 49 and two at 0 is two thirds of 49
    p, q, cost = pairs_of(board, 50.0)
    found = {frozenset(pair): value for *pair, value in zip(p.tolist(), q.tolist(), cost, strict=True)}
    beside = {frozenset(pair): 50 * np.exp(-0.75) for pair in ((0, 1), (0, 2), (1, 3), (2, 3))}
    across = {frozenset(pair): 50 / np.sqrt(2) for pair in ((0, 3), (1, 2))}
    assert found == pytest.approx(beside | across)


@pytest.mark.parametrize(
    ("photograph", "given"),
    [("astronaut", (60, 0, 400, 500)), ("rocket", (280, 60, 360, 410)), ("coffee", (150, 80, 400, 300))],
)
def test_with_the_constants_of_the_paper_it_is_the_grabcut_of_opencv(photograph, given):
    pytest.importorskip("cv2")
    whole = getattr(skimage.data, photograph)()
    scale = 128 / max(whole.shape[:2])
    size = tuple(round(scale * n) for n in whole.shape[:2])
    image = (255 * resize(whole, size, anti_aliasing=True)).astype(np.uint8)
    window = np.array(given, np.float32) * scale
    ours = grabcut(size, window, image, gamma=50.0) == 1
    theirs = FILLERS.load("grabcut-opencv")(size, window, image) == 1
    assert theirs.sum() > 200
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.95


def two_disks():
    """Two disks of one colour in one box, and a blurred map of the left one."""
    rows, columns = np.mgrid[:60, :100]
    left, right = ((rows - 30) ** 2 + (columns - at) ** 2 < 15**2 for at in (25, 70))
    image = np.where((left | right)[..., None], (190, 70, 50), (70, 110, 80)).astype(np.uint8)
    near = np.exp(-((rows - 30) ** 2 + (columns - 25) ** 2) / (2 * 14**2)).astype(np.float32)
    return left, right, image, near, np.array([5, 10, 95, 50], np.float32)


def test_grabcut_with_a_map_has_the_edge_of_the_image_and_the_place_of_the_map():
    left, right, image, near, given = two_disks()
    plain = grabcut((60, 100), given, image) == 1
    mask = grabcut_map((60, 100), given, image, near, colours=0.0, cover=False) == 1
    drawn = prior((60, 100), given, near) == 1
    assert (plain & right).any()  # the colours alone cannot tell the two apart
    assert not (mask & right).any()
    assert (mask & left).sum() / (mask | left).sum() > max(0.97, (drawn & left).sum() / (drawn | left).sum())


def test_colours_win_over_a_map_that_is_not_sure():
    _, right, image, near, given = two_disks()
    given = np.array([10, 15, 85, 45], np.float32)
    unsure = np.where(near >= 0.5, 0.6, 0.4).astype(np.float32)
    mask = grabcut_map((60, 100), given, image, unsure) == 1
    assert (mask & right).sum() > 0.9 * right.sum()
    assert not grabcut_map((60, 100), given, image, np.full((60, 100), np.nan)).any()


def test_every_row_of_the_box_is_met():
    image = np.full((40, 40, 3), 60, np.uint8)
    image[12:35, 12:28] = (200, 60, 40)
    image[5:12, 16:24] = (40, 60, 200)  # a head, of a colour that the map missed
    near = np.zeros((40, 40), np.float32)
    near[12:35, 12:28], near[5:12, 16:24] = 0.95, 0.2
    given = np.array([12, 5, 28, 35], np.float32)
    without = grabcut_map((40, 40), given, image, near, cover=False)
    assert not without[5:12].any()
    assert (grabcut_map((40, 40), given, image, near)[5:35] == 1).any(1).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: rim((4, 4), np.array([0, 0, 4, 4]), width=0.5),
        lambda: prior((4, 4), np.array([0, 0, 4, 4]), np.zeros((4, 4)), threshold=0.0),
        lambda: prior((4, 4), np.array([0, 0, 4, 4]), np.zeros((4, 4)), unsure=float("nan")),
        lambda: grabcut((4, 4), np.array([0, 0, 4, 4]), np.zeros((4, 4, 3), np.uint8), iterations=0),
        lambda: grabcut((4, 4), np.array([0, 0, 4, 4]), np.zeros((4, 4, 3), np.uint8), gamma=float("nan")),
        lambda: grabcut_map((4, 4), np.array([0, 0, 4, 4]), np.zeros((4, 4, 3)), np.zeros((4, 4)), limit=0.0),
        lambda: grabcut_map((4, 4), np.array([0, 0, 4, 4]), np.zeros((4, 4, 3)), np.zeros((4, 4)), trust=-1),
    ],
)
def test_values_outside_their_range(call):
    with pytest.raises(UsageError):
        call()


def test_quality_falls_with_the_fit_and_with_disagreement():
    given = np.array([2, 2, 8, 8], np.float32)
    good, small = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    good[2:8, 2:8], small[2:5, 2:8] = 1, 1
    sure = good * 0.9
    assert box_fit(good, given) == 1 and box_fit(small, given) == 0.5 and box_fit(good * 0, given) == 0
    assert agreement(good, sure, "region") == pytest.approx(0.9)
    assert quality(good, given, sure) > quality(small, given, sure) > quality(good * 0, given, sure) == 0
    outline = good - np.pad(np.ones((4, 4), np.uint8), 3)
    assert agreement(good, outline, "contour") == 1
    assert agreement(good, np.zeros((10, 10)), "contour") == 0


def test_quality_of_a_region_is_the_product_of_its_parts():
    given = np.array([2, 2, 8, 8], np.float32)
    prior = np.zeros((12, 12))
    prior[2:8, 2:6], prior[9, 9] = 0.8, 0.3
    mask = (prior >= 0.5).astype(np.uint8)
    whole = quality(mask, given, prior)
    assert whole == pytest.approx(0.8 * 24 / (24 + 0.3) * (4 / 6) ** 0.25)  # the map fills 4 of 6 columns
    mask[9, 9:11] = 1
    two_parts = agreement(mask, prior, "region") * 24 / 26
    assert quality(mask, given, prior) == pytest.approx(two_parts * (4 / 6) ** 0.25)
    assert quality(mask, given, prior) < whole
    assert quality(mask, given) == pytest.approx(box_fit(mask, given))
    assert quality(mask, given, prior, "contour") == box_fit(mask, given) * agreement(mask, prior, "contour")


def test_a_faint_map_still_ranks_masks():
    """No pixel reaches 0.5: half the maximum stands in."""
    given, prior = np.array([2, 2, 8, 8], np.float32), np.zeros((10, 10))
    prior[2:8, 2:8] = 0.3
    mask = (prior > 0).astype(np.uint8)
    assert quality(mask, given, prior) == pytest.approx(0.3)
    assert quality(mask, given, prior * np.nan) == quality(mask, given, prior * 0) == 0


@pytest.mark.parametrize(("start", "agrees"), [(4, 0), (5, 1), (8, 1), (9, 0)])
def test_a_contour_may_lie_two_pixels_off(start, agrees):
    """The object starts at pixel 7: its two outermost pixels and the two around it are its boundary."""
    mask, contour = np.zeros((24, 24), np.uint8), np.zeros((24, 24))
    mask[7:-7, 7:-7] = 1
    contour[start:-start, start:-start] = 1
    contour[start + 1 : -start - 1, start + 1 : -start - 1] = 0
    assert agreement(mask, contour, "contour") == agrees
