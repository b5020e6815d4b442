"""RandAugment beside the functions of timm, its draws against their distribution, one geometry for both."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from wsstool.data.augmentation import rand_augment
from wsstool.data.augmentation.crops import PAPER
from wsstool.data.augmentation.rand_augment import COLOR, OPERATIONS, SPATIAL, RandAugment, color, spatial
from wsstool.errors import UsageError

TIMM = {
    "autocontrast": ("auto_contrast", None),
    "equalize": ("equalize", None),
    "invert": ("invert", None),
    "posterize": ("posterize", "PosterizeIncreasing"),
    "solarize": ("solarize", "SolarizeIncreasing"),
    "solarize-add": ("solarize_add", "SolarizeAdd"),
    "saturation": ("color", "ColorIncreasing"),
    "contrast": ("contrast", "ContrastIncreasing"),
    "brightness": ("brightness", "BrightnessIncreasing"),
    "sharpness": ("sharpness", "SharpnessIncreasing"),
    "rotate": ("rotate", "Rotate"),
    "shear-x": ("shear_x", "ShearX"),
    "shear-y": ("shear_y", "ShearY"),
    "translate-x": ("translate_x_rel", "TranslateXRel"),
    "translate-y": ("translate_y_rel", "TranslateYRel"),
}
LIGHT = [name for name in COLOR if name not in ("autocontrast", "equalize", "invert")]


def picture(height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(side: int = 64) -> np.ndarray:
    """Rows and columns as colours."""
    rows, columns = np.mgrid[:side, :side] * (255 // side)
    return np.stack([rows, columns, np.full_like(rows, 90)], -1).astype(np.uint8)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("signed", [9.0, -9.0, 4.3, 0.0])
def test_operations_are_those_of_timm(name, signed, monkeypatch):
    timm = pytest.importorskip("timm.data.auto_augment")
    monkeypatch.setattr(timm, "_randomly_negate", lambda v: v if signed >= 0 else -v)
    function, level = TIMM[name]
    arguments = timm.LEVEL_TO_ARG[level](abs(signed), {}) if level else ()
    image = Image.fromarray(picture())
    if name in COLOR:
        theirs, ours = getattr(timm, function)(image, *arguments), color(name, signed)(image)
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))
        return
    for bicubic, resample in ((False, Image.Resampling.BILINEAR), (True, Image.Resampling.BICUBIC)):
        look = {"resample": resample, "fillcolor": PAPER}
        theirs = np.array(getattr(timm, function)(image, *arguments, **look)).astype(int)
        found = [np.array(spatial(name, image, s, bicubic=bicubic)).astype(int) for s in (signed, -signed)]
        assert min(np.abs(one - theirs).max() for one in found) <= 1


def test_posterize_keeps_a_bit():
    assert len(np.unique(np.array(color("posterize", 10.0)(Image.fromarray(picture()))))) == 2


class TestDraws:
    def draw(self, monkeypatch, n: int = 4000, magnitude: float = 9.0):
        """Every operation that was applied: (name, signed magnitude, filter)."""
        found = []

        def keep_place(name, image, signed, *, bicubic=False):
            found.append((name, signed, bicubic))
            return image

        def keep_color(name, signed):
            found.append((name, signed, None))
            return lambda image: image

        monkeypatch.setattr(rand_augment, "spatial", keep_place)
        monkeypatch.setattr(rand_augment, "color", keep_color)
        augment, image = RandAugment(magnitude), picture(4, 4)
        for seed in range(n):
            augment(image, image, np.random.default_rng(seed))
        return found

    def test_follow_the_published_distribution(self, monkeypatch):
        n = 4000
        found = self.draw(monkeypatch, n)
        first = [one for one in found if one[0] in COLOR] + [one for one in found if one[0] in SPATIAL][::2]
        assert len(first) == pytest.approx(n, rel=0.05)  # two draws of one half
        counts = [sum(name == one[0] for one in first) for name in OPERATIONS]
        assert min(counts) > 200 and max(counts) < 340  # of 267
        magnitudes = np.abs([signed for _, signed, _ in first])
        assert magnitudes.mean() == pytest.approx(9.0, abs=0.05)
        assert magnitudes.std() == pytest.approx(0.5, abs=0.04) and magnitudes.max() <= 10
        assert np.mean([signed > 0 for _, signed, _ in first]) == pytest.approx(0.5, abs=0.04)

    def test_share_the_geometry_and_not_the_filter(self, monkeypatch):
        found = [one for one in self.draw(monkeypatch, 2000) if one[0] in SPATIAL]
        pairs = list(zip(found[::2], found[1::2], strict=True))
        assert all(a[:2] == b[:2] for a, b in pairs)
        assert 0.4 < np.mean([a[2] == b[2] for a, b in pairs]) < 0.6

    def test_depend_on_the_generator_alone(self):
        image = picture()
        for seed in range(20):
            one, two = (RandAugment(9)(image, image, np.random.default_rng(seed)) for _ in range(2))
            np.testing.assert_array_equal(one, two)

    def test_take_as_many_numbers_whatever_they_are(self):
        image, after = picture(8, 8), set()
        for magnitude in (0.0, 9.0):
            rng = np.random.default_rng(3)
            RandAugment(magnitude)(image, image, rng)
            after.add(rng.random())
        assert len(after) == 1


def test_colors_are_for_the_student_and_places_for_both():
    image, moved, coloured = smooth(), 0, 0
    for seed in range(60):
        student, teacher = RandAugment(9)(image, image, np.random.default_rng(seed))
        assert set(np.unique(teacher[..., 2])) <= set(range(80, 116))  # 90, and 104 outside
        is_moved, differs = (teacher != image).any(), np.abs(student.astype(int) - teacher).max() > 8
        moved, coloured = moved + is_moved, coloured + differs
    assert 12 < moved < 28 and coloured > 20


@pytest.mark.parametrize("magnitude", [-1, 10.5, float("nan")])
def test_magnitude_has_a_range(magnitude):
    with pytest.raises(UsageError, match="magnitude"):
        RandAugment(magnitude)
