"""Dense CRF: the numbers of pydensecrf, an exact all-pairs sum, limits."""

import warnings

import numpy as np
import pytest
import torch

from tests.fixtures import arrays
from wsstool.errors import BadInputError, UsageError
from wsstool.masks.crf import PRESETS, crf
from wsstool.masks.permutohedral import Permutohedral

TOLERANCES = {"deeplab": 2e-5, "irn": 5e-4, "tissue": 2e-4}
"""Of marginals after 10 steps: three to four times what was measured (6e-6, 1.4e-4 and 5e-5)."""


@pytest.mark.parametrize("steps", [1, 5, 10])
@pytest.mark.parametrize("setting", TOLERANCES)
def test_marginals_equal_those_of_pydensecrf(setting, steps):
    fixture = arrays("crf/astronaut")
    expected = fixture[f"q_{setting}_softmax_it{steps}"]
    q = crf(fixture["prob"], fixture["image"], unary="probabilities", steps=steps, **PRESETS[setting])
    assert np.abs(q - expected).max() < TOLERANCES[setting]
    assert (q.argmax(0) == expected.argmax(0)).mean() >= 0.999


@pytest.mark.parametrize("setting", TOLERANCES)
def test_label_unaries_equal_those_of_pydensecrf(setting):
    fixture = arrays("crf/astronaut")
    expected = fixture[f"q_{setting}_labels07_it10"]
    scores = fixture["hard_labels"][None] == np.arange(3)[:, None, None]
    q = crf(scores.astype(np.float32), fixture["image"], unary="labels", **PRESETS[setting])
    assert np.abs(q - expected).max() < TOLERANCES[setting]
    assert (q.argmax(0) == expected.argmax(0)).mean() >= 0.999


def photograph_like(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Two regions of different colour with mild noise."""
    rng = np.random.default_rng(seed)
    image = np.where(np.arange(width)[None, :, None] < width // 2, (60, 90, 120), (180, 140, 60))
    return (image + rng.normal(0, 6, (height, width, 3))).clip(0, 255).astype(np.uint8)


def all_pairs(scores, image, *, a, b, wb, g, wg, k):
    """Mean field with the exact kernels, every pair summed in float64."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    colours = image.reshape(-1, 3).astype(float)
    space = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    colour = ((colours[:, None] - colours) ** 2).sum(-1)
    bilateral, gaussian = np.exp(-space / (2 * a * a) - colour / (2 * b * b)), np.exp(-space / (2 * g * g))
    kernels = []
    for weight, kernel in ((wb, bilateral), (wg, gaussian)):
        d = 1 / np.sqrt(kernel.sum(1))
        kernels.append(weight * d[:, None] * kernel * d)
    energy = 5 * scores.reshape(len(scores), -1).T.astype(float)
    q = np.exp(energy) / np.exp(energy).sum(1, keepdims=True)
    for _ in range(k):
        q = np.exp(energy + sum(kernel @ q for kernel in kernels))
        q /= q.sum(1, keepdims=True)
    return q.T.reshape(scores.shape)


def test_marginals_are_close_to_the_exact_sum_over_all_pairs():
    image = photograph_like(20, 24)
    scores = np.random.default_rng(1).random((3, 20, 24), np.float32) * 0.6
    exact = all_pairs(scores, image, a=10, b=30, wb=4, g=2, wg=2, k=3)
    q = crf(
        scores,
        image,
        bilateral_xy=10,
        bilateral_rgb=30,
        bilateral_weight=4,
        gaussian_xy=2,
        gaussian_weight=2,
        steps=3,
    )
    assert np.abs(q - exact).mean() < 0.02
    assert (q.argmax(0) == exact.argmax(0)).mean() > 0.95


def test_the_lattice_approximates_a_gaussian():
    rng = np.random.default_rng(0)
    points = (rng.random((300, 3)) * 3).astype(np.float32)
    values = rng.random((300, 2)).astype(np.float32)
    kernel = np.exp(-((points[:, None] - points) ** 2).sum(-1) / 2)
    exact = kernel @ values / kernel.sum(1, keepdims=True)
    lattice = Permutohedral(torch.from_numpy(points.T))
    ours = (lattice.filter(torch.from_numpy(values)) / lattice.filter(torch.ones(300, 1))).numpy()
    assert np.abs(ours - exact).max() < 0.1 * np.ptp(values)
    assert np.corrcoef(ours[:, 0], exact[:, 0])[0, 1] > 0.97


def test_without_steps_or_weights_the_unary_speaks_alone():
    image = photograph_like(6, 8)
    p = np.random.default_rng(0).dirichlet(np.ones(3), (6, 8)).transpose(2, 0, 1).astype(np.float32)
    for own in ({"steps": 0}, {"bilateral_weight": 0.0, "gaussian_weight": 0.0}):
        np.testing.assert_allclose(crf(p, image, unary="probabilities", **own), p.clip(1e-5, 1), atol=1e-4)


def test_a_stray_pixel_joins_its_surroundings():
    image = np.full((12, 12, 3), 90, np.uint8)
    scores = np.zeros((2, 12, 12), np.float32)
    scores[0] = 0.8
    scores[:, 6, 6] = (0.2, 0.9)
    assert (crf(scores, image).argmax(0) == 0).all()


@pytest.mark.parametrize("name", ["bilateral_xy", "bilateral_rgb", "gaussian_xy"])
def test_a_sigma_of_zero_is_refused_unless_its_term_is_left_out(name):
    scores, image = np.zeros((2, 4, 4), np.float32), photograph_like(4, 4)
    with pytest.raises(UsageError, match=name):
        crf(scores, image, **{name: 0.0})
    crf(scores, image, **{name: 0.0, name.split("_")[0] + "_weight": 0.0})


@pytest.mark.parametrize(
    "own",
    [
        {"steps": -1},
        {"logit_scale": float("nan")},
        {"bilateral_weight": -1.0},
        {"gaussian_weight": float("inf")},
        {"gaussian_xy": float("nan")},
    ],
)
def test_other_numbers_are_refused_even_where_one_label_leaves_nothing_to_do(own):
    with pytest.raises(UsageError, match=f"crf needs .*{next(iter(own))}"):
        crf(np.zeros((1, 4, 4), np.float32), photograph_like(4, 4), **own)


def test_a_sigma_too_close_to_zero_is_refused_in_a_sentence():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="too close to zero"):
        crf(np.zeros((2, 8, 8), np.float32), image, bilateral_rgb=1e-6)


@pytest.mark.parametrize("unary", ["logits", "probabilities", "labels"])
def test_logarithms_and_logits_are_refused(unary):
    image = np.zeros((4, 5, 3), np.uint8)
    softmax = np.full((2, 4, 5), 0.5, np.float32)
    for wrong, words in ((np.log(softmax), "from -0.6931 to 0|-0.6931 to -0.6931"), (softmax * 8, "to 4")):
        with pytest.raises(BadInputError, match=words):
            crf(wrong, image, unary=unary)


def test_arrays_that_are_read_only_give_no_warning():
    image, scores = np.zeros((4, 5, 3), np.uint8), np.full((2, 4, 5), 0.5, np.float32)
    scores[0, 0, 0] = 1
    want = crf(scores, image)
    for array in (image, scores):
        array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (crf(scores, image) == want).all()


def test_unknown_names_are_refused():
    scores, image = np.zeros((2, 4, 4), np.float32), photograph_like(4, 4)
    with pytest.raises(UsageError, match="there are: logits, probabilities, labels"):
        crf(scores, image, unary="softmax")
    with pytest.raises(BadInputError, match="5 x 4 px"):
        crf(scores, photograph_like(4, 5))


def test_the_preset_named_irn_is_the_default():
    image = photograph_like(10, 12)
    scores = np.random.default_rng(0).random((2, 10, 12), np.float32)
    np.testing.assert_array_equal(crf(scores, image), crf(scores, image, **PRESETS["irn"]))
    assert set(PRESETS) == {"deeplab", "irn", "tissue"}


def test_a_pixel_of_equal_scores_says_nothing_as_a_hard_label():
    scores = np.float32([[[1, 0.5, 0.2]], [[0, 0.5, 0.6]]])
    q = crf(scores, photograph_like(1, 3), unary="labels", label_probability=0.9, steps=0)
    np.testing.assert_allclose(q, [[[0.9, 0.5, 0.1]], [[0.1, 0.5, 0.9]]], atol=1e-6)


@pytest.mark.parametrize("probability", [0.3, 1 / 3, 1.0, float("nan")])
def test_a_label_must_be_likelier_than_chance_and_not_certain(probability):
    scores = np.random.default_rng(0).random((3, 4, 4), np.float32)
    with pytest.raises(UsageError, match="label_probability"):
        crf(scores, photograph_like(4, 4), unary="labels", label_probability=probability)


def test_probabilities_that_do_not_sum_to_one_are_legal():
    image = photograph_like(10, 12)
    p = np.random.default_rng(0).dirichlet(np.ones(3), (10, 12)).transpose(2, 0, 1).astype(np.float32)
    p = 0.1 + 0.5 * p  # nothing below the least probability of 1e-5
    half, whole = (crf(scale * p, image, unary="probabilities") for scale in (0.5, 1))
    np.testing.assert_allclose(half, whole, atol=1e-4)
    np.testing.assert_allclose(half.sum(0), 1, atol=1e-5)


def test_metal_gives_way_to_the_processor(monkeypatch):
    from wsstool.masks import crf as module

    monkeypatch.setattr(module, "pick_device", lambda name: torch.device("mps"))
    scores, image = np.zeros((2, 4, 4), np.float32), photograph_like(4, 4)
    assert crf(scores, image).shape == (2, 4, 4)
    with pytest.raises(UsageError, match="use device=cpu"):
        crf(scores, image, device="mps")
    monkeypatch.undo()
    with pytest.raises(UsageError, match="no device 'abacus'"):
        crf(scores, image, device="abacus")


def test_the_way_for_a_gpu_gives_the_same_lattice(monkeypatch):
    from wsstool.masks import permutohedral as module

    points = torch.randn(3, 400, generator=torch.Generator().manual_seed(0)) * 4
    values = torch.rand(400, 2, generator=torch.Generator().manual_seed(1))
    usual = Permutohedral(points, normalised=True)
    monkeypatch.setattr(module, "_on_processor", lambda tensor: False)
    other = Permutohedral(points, normalised=True)
    assert usual.size == other.size
    torch.testing.assert_close(usual.filter(values), other.filter(values))


@pytest.mark.parametrize("scale", [1, 1.5e4])
def test_codes_that_do_not_fit_beside_their_place_are_sorted_too(scale):
    points = torch.randn(3, 300, generator=torch.Generator().manual_seed(0)) * scale
    everywhere = Permutohedral(torch.cat([points, points], 1))
    out = everywhere.filter(torch.ones(600, 1))[:, 0]
    torch.testing.assert_close(out[:300], out[300:])  # equal points have equal surroundings
    if scale > 1:  # far from all others: only the two points themselves, and the smoothing of their simplex
        assert out.max() < 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("setting", PRESETS)
def test_a_gpu_gives_the_same_labels(setting):
    image = photograph_like(120, 160)
    scores = np.random.default_rng(0).random((3, 120, 160), np.float32)
    there, here = (crf(scores, image, **PRESETS[setting], device=device) for device in ("cuda", "cpu"))
    assert (there.argmax(0) == here.argmax(0)).mean() >= 0.999
