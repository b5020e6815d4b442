"""What single corruptions do, in cases that can be computed by hand, and what their statistics are."""

import numpy as np
import pytest
from scipy import ndimage

from tests.corruptions.pictures import cat, distance
from wsstool.corruptions import corrupt
from wsstool.corruptions.blur import disk
from wsstool.corruptions.fog import plasma
from wsstool.corruptions.glass import taken_from
from wsstool.corruptions.motion import streaked
from wsstool.corruptions.zoom import zoomed


def flat(*colour, side=100):
    return np.full((side, side, 3), colour, np.uint8)


class TestNoise:
    @pytest.mark.parametrize(("severity", "scale"), [(1, 0.08), (2, 0.12)])
    def test_gaussian_noise_has_the_published_deviation(self, severity, scale):
        found = corrupt(flat(128), "gaussian-noise", severity, image_name="a")
        assert found.std() == pytest.approx(255 * scale, rel=0.02)
        assert found.mean() == pytest.approx(127.5, abs=0.5)

    @pytest.mark.parametrize(("severity", "photons"), [(1, 60), (3, 12)])
    def test_shot_noise_has_the_variance_of_its_photons(self, severity, photons):
        found = corrupt(flat(100), "shot-noise", severity, image_name="a")
        assert found.var() == pytest.approx(100 * 255 / photons, rel=0.05)

    def test_shot_and_speckle_noise_leave_black_alone(self):
        for name in ("shot-noise", "speckle-noise"):
            assert not corrupt(flat(0), name, 5, image_name="a").any()

    @pytest.mark.parametrize(("severity", "share"), [(1, 0.03), (4, 0.17)])
    def test_impulse_noise_is_half_salt_half_pepper(self, severity, share):
        found = corrupt(flat(100, side=400), "impulse-noise", severity, image_name="a")
        assert (found != 100).mean() == pytest.approx(share, abs=0.002)
        assert (found[found != 100] == 255).mean() == pytest.approx(0.5, abs=0.01)
        assert (found != 100).any(2).mean() == pytest.approx(
            1 - (1 - share) ** 3, abs=0.005
        )  # values, not pixels


class TestColour:
    def test_brightness_keeps_hue_and_saturation(self):
        assert corrupt(flat(100, 50, 0), "brightness", 3, image_name="a")[0, 0].tolist() == [176, 88, 0]

    def test_brightness_of_black_is_grey(self):
        assert np.ptp(corrupt(flat(0), "brightness", 1, image_name="a")) == 0
        assert corrupt(flat(0), "brightness", 1, image_name="a")[0, 0, 0] == 25

    def test_saturate_takes_colour_away_first(self):
        spread = [
            np.ptp(corrupt(flat(200, 150, 100), "saturate", s, image_name="a")[0, 0]) for s in range(1, 6)
        ]
        assert spread == [30, 10, 200, 200, 200]

    def test_saturate_turns_grey_red_where_it_adds(self):
        assert corrupt(flat(100), "saturate", 3, image_name="a")[0, 0].tolist() == [100, 100, 100]
        assert corrupt(flat(100), "saturate", 5, image_name="a")[0, 0].tolist() == [100, 80, 80]

    def test_contrast_draws_each_channel_to_its_mean(self):
        image = np.uint8([[[0, 10, 50], [200, 30, 50]]])
        found = corrupt(image, "contrast", 3, image_name="a")
        assert found.tolist() == [[[80, 18, 50], [120, 22, 50]]]


class TestBlur:
    def test_a_point_becomes_a_disk(self):
        image = flat(0, side=31)
        image[15, 15] = 255
        found = corrupt(image, "defocus-blur", 1, image_name="a")[..., 0]
        rows, columns = np.nonzero(found)
        assert np.hypot(rows - 15, columns - 15).max() == 3
        assert len(rows) == 29 and np.ptp(found[rows, columns]) <= 1

    def test_the_disk_is_mirrored_where_it_meets_its_edge(self):
        sums = [disk(*constants).sum() for constants in ((3, 0.1), (6, 0.5), (8, 0.5), (10, 0.5))]
        assert sums == pytest.approx([1, 1, 1.01298, 1.01079], abs=1e-4)

    def test_a_streak_fades_to_one_side(self):
        line = np.zeros((5, 41), np.float32)
        line[:, 20] = 1
        found = streaked(line, 3, 2, 0)[2]
        assert np.flatnonzero(found).tolist() == [14, 15, 16, 17, 18, 19, 20]
        assert (np.diff(found[14:21]) > 0).all() and found.sum() == pytest.approx(1)

    def test_a_streak_turns_with_its_angle(self):
        point = np.zeros((41, 41), np.float32)
        point[20, 20] = 1
        rows, columns = np.nonzero(streaked(point, 3, 9, -90))
        assert set(columns) == {20} and rows.tolist() == [20, 21, 22, 23, 24, 25, 26]

    def test_zoom_keeps_the_corners_of_the_crop(self):
        image = np.arange(64, dtype=np.float32).reshape(8, 8)
        found = zoomed(image, 2)
        assert found[0, 0] == image[2, 2] and found[-1, -1] == image[5, 5]

    def test_blurs_of_one_colour_only_cut_fractions(self):
        for name in ("gaussian-blur", "motion-blur", "zoom-blur", "glass-blur"):
            for severity in range(1, 6):
                assert distance(corrupt(flat(77), name, severity, image_name="a"), flat(77)) <= 2, name


class Fixed:
    """A generator of integers that are known before."""

    def __init__(self, offsets):
        self.offsets = offsets

    def integers(self, low, high, shape):
        assert (self.offsets >= low).all() and (self.offsets < high).all()
        return self.offsets.reshape(shape)


@pytest.mark.parametrize(
    ("size", "reach"), [((12, 17), 1), ((20, 15), 3), ((11, 30), 4), ((3, 3), 2), ((1, 9), 4)]
)
def test_glass_copies_one_pixel_after_the_other(size, reach):
    """The loop that the benchmark describes, pixel by pixel."""
    height, width = size
    rows, columns = range(height - reach, reach, -1), range(width - reach, reach, -1)
    offsets = np.random.default_rng(0).integers(-reach, reach, (len(rows) * len(columns), 2))
    expected, draw = np.arange(height * width).reshape(size), iter(offsets)
    for row in rows:
        for column in columns:
            dx, dy = next(draw)
            expected[row, column] = expected[row + dy, column + dx]
    np.testing.assert_array_equal(taken_from(size, reach, Fixed(offsets)), expected.ravel())


class TestWeather:
    def test_plasma_covers_the_unit_interval_and_is_rougher_with_less_decay(self):
        clouds = [plasma((64, 64), decay, np.random.default_rng(0)) for decay in (2.0, 1.4)]
        assert all(cloud.min() == 0 and cloud.max() == 1 for cloud in clouds)
        smooth, rough = (np.abs(np.diff(cloud)).mean() for cloud in clouds)
        assert rough > 2 * smooth

    def test_plasma_wraps_round(self):
        cloud = plasma((64, 64), 2.0, np.random.default_rng(0))
        within, across = np.abs(np.diff(cloud)).mean(), np.abs(cloud[:, 0] - cloud[:, -1]).mean()
        assert across < 3 * within

    def test_fog_on_black_is_black(self):
        assert not corrupt(flat(0), "fog", 5, image_name="a").any()

    def test_snow_and_frost_brighten_a_dark_image(self):
        for name in ("snow", "frost-synthetic"):
            assert corrupt(flat(10), name, 3, image_name="a").mean() > 40

    def test_water_brightens_and_mud_covers(self):
        changed = [corrupt(cat(), "spatter", s, image_name="a").astype(int) - cat() for s in range(1, 6)]
        assert all(change.min() >= -1 for change in changed[:3])
        muddy = corrupt(flat(255), "spatter", 5, image_name="a")
        assert muddy.min(axis=(0, 1)).tolist() == [63, 42, 20]


class TestDigital:
    def test_pixelate_makes_blocks(self):
        found = corrupt(cat(), "pixelate", 5, image_name="a")
        blocks = found.reshape(56, 4, 56, 4, 3)
        assert (blocks == blocks[:, :1, :, :1]).all()
        means = ndimage.uniform_filter(cat().astype(float), (4, 4, 1), origin=(-2, -2, 0))[::4, ::4]
        assert np.abs(blocks[1:-1, 0, 1:-1, 0] - means[1:-1, 1:-1]).max() < 64
