"""The probe against scikit-free closed laws: it finds the minimum, and the penalty means what it says."""

import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wsstool.models.classifier import build_classifier
from wsstool.training.tag_probe import fit_head, probe, views


def draw(n=60, f=5, k=3, seed=0):
    generator = np.random.default_rng(seed)
    x = torch.from_numpy(generator.normal(size=(n, f))).float()
    w = torch.from_numpy(generator.normal(size=(k, f))).float()
    return x, ((x @ w.T + 0.3) > 0).float()


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_gradient_at_the_answer_is_zero(single, balanced):
    x, t = draw()
    if single:
        t = F.one_hot(t.argmax(1), 3).float()
    penalty = 0.02
    weight, bias = fit_head(x, t, penalty=penalty, balanced=balanced, intercept=True, single_label=single)
    spread = float(x.std(0).mean())
    w = (weight.double() * spread).requires_grad_()
    b = bias.double().requires_grad_()
    logits = x.double() / spread @ w.T + b
    share = t.double().mean(0)
    importance = torch.where(t > 0, 0.5 / share, 0.5 / (1 - share)) if balanced else torch.ones_like(t)
    if single:
        loss = -(importance * t * logits.log_softmax(1)).sum(1).mean()
    else:
        loss = (importance * F.binary_cross_entropy_with_logits(logits, t.double(), reduction="none")).mean()
    (loss + penalty * w.square().sum(1).mean()).backward()
    assert w.grad.abs().max() < 1e-5
    if not single:  # adding a constant to all logits of a softmax changes nothing
        assert b.grad.abs().max() < 1e-5


def test_a_larger_penalty_gives_smaller_weights():
    x, t = draw()
    norms = [float(fit_head(x, t, penalty=p)[0].norm()) for p in (0.001, 0.01, 0.1, 1.0)]
    assert norms == sorted(norms, reverse=True)


def test_the_unit_of_the_features_does_not_matter():
    x, t = draw()
    weight, bias = fit_head(x, t, intercept=True)
    scaled, same = fit_head(10 * x, t, intercept=True)
    assert torch.allclose(scaled * 10, weight, atol=1e-5)
    assert torch.allclose(same, bias, atol=1e-5)


def test_classes_without_a_choice_and_constant_features():
    weight, bias = fit_head(torch.ones(6, 4), torch.tensor([[1.0, 0.0]] * 6), intercept=True)
    assert torch.isfinite(weight).all() and torch.isfinite(bias).all()
    assert bias[0] > 0 > bias[1]


def test_it_fits_the_head_of_a_classifier_and_leaves_the_backbone():
    torch.manual_seed(0)
    model = build_classifier("tiny", 2)
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    dark, light = np.zeros((32, 40, 3), np.uint8), np.full((32, 40, 3), 255, np.uint8)
    pictures = [dark, light, dark, light]
    tags = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    right = probe(
        model, pictures, range(4), tags, mean=[0.5] * 3, std=[0.5] * 3, scales=(1.0, 1.5), penalty=1e-3
    )
    assert right == 1.0
    x = torch.stack([torch.full((3, 32, 40), -1.0), torch.ones(3, 32, 40)])
    assert (model.eval()(x) > 0).tolist() == [[True, False], [False, True]]
    assert all(torch.equal(v, before[k]) for k, v in model.backbone.state_dict().items())


def test_without_an_intercept_the_bias_is_zero():
    x, t = draw()
    weight, bias = fit_head(x, t)
    assert not bias.any() and weight.any()


def test_read_only_images_are_copied():
    """Those of a memory map, or of Pillow: torch warns of them, once per process unless told otherwise."""
    image = np.full((4, 5, 3), 51, np.uint8)
    image.setflags(write=False)
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (view,) = views(image, (1.0,), [0.0] * 3, [1.0] * 3, torch.device("cpu"))
    finally:
        torch.set_warn_always(False)
    torch.testing.assert_close(view, torch.full((1, 3, 4, 5), 0.2))
