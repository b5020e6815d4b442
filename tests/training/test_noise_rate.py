"""The confident joint: exact on labels with known errors, silent on clean ones."""

import pytest
import torch

from wsstool.training.cotraining.noise_rate import LARGEST, ConfidentJoint


def world(wrong: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predictions of a good network (scattered confidence) and labels of which a share is wrong."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 3, (4, 40, 40), generator=generator)
    logits = 4.0 * torch.nn.functional.one_hot(truth, 3).movedim(-1, 1) + torch.randn(
        4, 3, 40, 40, generator=generator
    )
    flip = torch.rand(truth.shape, generator=generator) < wrong
    labels = torch.where(flip, (truth + 1) % 3, truth)
    return logits.softmax(dim=1), labels, flip


@pytest.mark.parametrize("wrong", [0.0, 0.05, 0.2, 0.4])
def test_estimate_is_near_the_true_share(wrong: float) -> None:
    probs, labels, flip = world(wrong)
    joint = ConfidentJoint(3)
    joint.update(probs, labels, torch.ones_like(flip))
    assert joint.estimate() == pytest.approx(flip.double().mean().item(), abs=0.02)


def test_ignored_pixels_do_not_count() -> None:
    probs, labels, flip = world(0.3)
    joint = ConfidentJoint(3)
    labels[flip] = 255
    joint.update(probs, labels, ~flip)
    assert joint.estimate() < 0.01
    assert joint.labelled.sum() == (~flip).sum()


def test_batches_add_up_and_the_state_travels() -> None:
    probs, labels, flip = world(0.2)
    whole, parts = ConfidentJoint(3), ConfidentJoint(3)
    valid = torch.ones_like(flip)
    whole.update(probs, labels, valid)
    for i in range(4):
        parts.update(probs[i : i + 1], labels[i : i + 1], valid[i : i + 1])
    assert parts.estimate() == pytest.approx(whole.estimate(), abs=0.02)
    copy = ConfidentJoint(3)
    copy.load_state_dict(parts.state_dict())
    assert copy.estimate() == parts.estimate()


def test_empty_absent_and_hopeless() -> None:
    joint = ConfidentJoint(4)
    assert joint.estimate() == 0.0
    probs, labels, flip = world(1.0)
    joint.update(torch.cat([probs, torch.zeros_like(probs[:, :1])], dim=1), labels, torch.zeros_like(flip))
    assert joint.estimate() == 0.0
    joint.update(torch.cat([probs, torch.zeros_like(probs[:, :1])], dim=1), labels, torch.ones_like(flip))
    assert 0.0 <= joint.estimate() <= LARGEST
