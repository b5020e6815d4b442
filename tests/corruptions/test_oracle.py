"""Beside the package ``imagecorruptions-imaug``: the same draws give the same image."""

import numpy as np
import pytest

from tests.corruptions.pictures import cat, distance
from wsstool.corruptions.levels import SEVERITIES
from wsstool.registry import CORRUPTIONS

oracle = pytest.importorskip(
    "imagecorruptions",
    reason="the extra 'corruptions' (imagecorruptions-imaug with OpenCV and numba) is not installed",
    exc_type=ImportError,
)

EQUAL = [name for name in CORRUPTIONS if name not in {"impulse-noise", "snow", "frost", "frost-synthetic"}]


class Legacy:
    """numpy's old generator, which the package draws from, with the methods of the new one."""

    def __init__(self, seed: int) -> None:
        state = np.random.RandomState(seed)
        self.normal, self.uniform, self.poisson = state.normal, state.uniform, state.poisson
        self.integers = state.randint


def both(name: str, severity: int, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ours, theirs) with equal draws."""
    ours = CORRUPTIONS.load(name)(image, severity, Legacy(severity))
    np.random.seed(severity)
    own = {"seed": severity} if name in {"glass-blur", "impulse-noise"} else {}
    return ours, oracle.corrupt(image, severity, name.replace("-", "_"), **own)


@pytest.mark.parametrize("severity", SEVERITIES)
class TestOracle:
    @pytest.mark.parametrize("name", EQUAL)
    def test_within_one_grey_level(self, name, severity):
        ours, theirs = both(name, severity, cat())
        assert np.abs(ours.astype(int) - theirs).max() <= 1
        assert distance(ours, theirs) < 0.15

    @pytest.mark.parametrize("name", EQUAL)
    def test_within_one_grey_level_at_an_odd_size(self, name, severity):
        ours, theirs = both(name, severity, np.ascontiguousarray(cat()[5:156, ::2]))
        assert np.abs(ours.astype(int) - theirs).max() <= 1

    def test_snow_differs_where_the_layer_is_cut_and_quantised(self, severity):
        """Ours cuts and quantises the layer before the streak, as the benchmark does; theirs afterwards."""
        ours, theirs = both("snow", severity, cat())
        assert distance(ours, theirs) < 0.5
        assert np.abs(ours.astype(int) - theirs)[:, 25:-25].max() <= 2

    def test_impulse_noise_changes_as_many_values(self, severity):
        gaps = np.full((300, 300, 3), 100, np.uint8)
        ours = CORRUPTIONS.load("impulse-noise")(gaps, severity, np.random.default_rng(0))
        theirs = oracle.corrupt(gaps, severity, "impulse_noise", seed=0)
        for level in (0, 255):
            assert (ours == level).mean() == pytest.approx((theirs == level).mean(), abs=0.003)

    def test_frost_is_as_strong(self, severity):
        """Another photograph and another crop: the mean over draws is alike."""
        frost = CORRUPTIONS.load("frost")
        ours = np.mean([frost(cat(), severity, np.random.default_rng(k)).mean() for k in range(60)])
        np.random.seed(0)
        theirs = np.mean([oracle.corrupt(cat(), severity, "frost").mean() for _ in range(60)])
        assert ours == pytest.approx(theirs, rel=0.12)
