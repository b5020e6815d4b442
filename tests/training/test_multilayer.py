"""Several label maps at once: losses that can be worked out on paper, the excluded channel, its gradients."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.registry import COTRAINERS
from wsstool.training.cotraining.segmentation_task import Setup
from wsstool.training.losses.multilayer import multilayer_loss
from wsstool.training.plan import Progress

WEIGHTS = (0.2, 0.2, 0.6)
AT = Progress(0, 1, 0, 1)


def labels_of(*maps: list[int]) -> torch.Tensor:
    """One image of one row: (1,L,1,W)."""
    return torch.tensor(maps, dtype=torch.uint8)[None, :, None]


def logits_of(*pixels: list[float]) -> torch.Tensor:
    """(1,C,1,W) from the logits of each pixel."""
    return torch.tensor(pixels).T[None, :, None]


def test_channel_form_by_hand() -> None:
    """Two classes. Pixel 1: logits (2, 0), labels 0, 1, 0. Pixel 2 is excluded by all maps."""
    logits = logits_of([2.0, 0.0], [5.0, -5.0])
    labels = labels_of([0, 2], [1, 2], [0, 2])
    log_total = math.log(math.exp(2) + 1 + 1)  # the constant channel is a logit of 0 there
    first, second = (log_total - 2) / 2, log_total / 2  # pixel 2 counts in the mean, with a loss of 0
    found = multilayer_loss(logits, labels, WEIGHTS, main=2)
    assert found.item() == pytest.approx(0.8 * first + 0.2 * second, rel=1e-6)


def test_index_form_by_hand() -> None:
    """The same pixels: no constant channel, and pixel 2 does not count."""
    logits = logits_of([2.0, 0.0], [5.0, -5.0])
    labels = labels_of([0, 2], [1, 2], [0, 2])
    log_total = math.log(math.exp(2) + 1)
    found = multilayer_loss(logits, labels, WEIGHTS, main=2, excluded="index")
    assert found.item() == pytest.approx(0.8 * (log_total - 2) + 0.2 * log_total, rel=1e-6)


def test_focal_by_hand() -> None:
    """Cross-entropies of 0 and log 3 in the channel form: (1 - exp(-CE))^2 / 2 x CE of their mean."""
    logits, labels = logits_of([0.0, 0.0], [0.0, 0.0]), labels_of([0, 2])
    mean = math.log(3) / 2
    found = multilayer_loss(logits, labels, [1.0], kind="focal")
    assert found.item() == pytest.approx((1 - math.exp(-mean)) ** 2 / 2 * mean, rel=1e-6)


def test_a_map_that_disagrees_about_exclusion_costs_and_teaches_little() -> None:
    """Main excludes a pixel, another map does not: about 100, and no gradient."""
    logits = logits_of([1.0, 0.0]).requires_grad_()
    found = multilayer_loss(logits, labels_of([0], [2]), (0.5, 0.5), main=1)
    assert found.item() == pytest.approx(0.5 * 99.0, rel=1e-6)
    found.backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 0, 0].item() == pytest.approx(-0.5)  # it can pull, but the softmax won't move
    assert logits.grad[0, 1, 0, 0].item() == pytest.approx(0.0, abs=1e-6)


def test_agreed_exclusion_has_neither_loss_nor_gradient() -> None:
    logits = logits_of([3.0, -1.0]).requires_grad_()
    found = multilayer_loss(logits, labels_of([2], [2]), (0.5, 0.5))
    found.backward()
    assert found.item() == 0.0
    assert logits.grad is not None and logits.grad.abs().max() < 1e-30


def test_ignored_pixels_do_not_count_in_either_form() -> None:
    logits = logits_of([2.0, 0.0], [9.0, 9.0])
    for form in ("channel", "index"):
        with_void = multilayer_loss(logits, labels_of([0, 255]), [1.0], excluded=form)
        without = multilayer_loss(logits[..., :1], labels_of([0]), [1.0], excluded=form)
        torch.testing.assert_close(with_void, without)
        assert multilayer_loss(logits, labels_of([255, 255]), [1.0], excluded=form).item() == 0.0


def test_without_excluded_pixels_index_is_the_ordinary_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, 6, generator=generator)
    labels = torch.randint(0, 4, (3, 2, 5, 6), generator=generator).to(torch.uint8)
    parts = [nn.functional.cross_entropy(logits, labels[:, l].long()) for l in range(2)]
    found = multilayer_loss(logits, labels, (0.7, 0.3), excluded="index")
    torch.testing.assert_close(found, 0.7 * parts[0] + 0.3 * parts[1])
    by_pixel = nn.functional.cross_entropy(
        torch.cat([logits, torch.zeros(3, 1, 5, 6)], 1), labels[:, 0].long()
    )
    torch.testing.assert_close(multilayer_loss(logits, labels[:, :1], [1.0]), by_pixel)


def task(**own: Any) -> Any:
    setup = Setup(
        build=lambda number: nn.Conv2d(3, 3, 1),
        class_names=("a", "b", "c"),
        class_ids=(0, 1, 3),
        excluded=2,
        layer_weights=WEIGHTS,
        layers=("net.b4_5", "net.b5_2", "net.bn7"),
    )
    return COTRAINERS.load("multilayer")(setup, **own)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (2, 3, 4, 5), generator=generator).to(torch.uint8)
    return images, torch.randint(0, 4, (2, 3, 4, 5), generator=generator).to(torch.uint8)


def test_labels_become_outputs() -> None:
    labels = torch.tensor([0, 1, 2, 3, 255], dtype=torch.uint8).view(1, 1, 1, 5)
    images = torch.zeros(1, 3, 1, 5, dtype=torch.uint8)
    assert task().prepared((images, labels))[1].flatten().tolist() == [0, 1, 3, 2, 255]
    plain = COTRAINERS.load("plain")(task().setup)
    assert plain.prepared((images, labels))[1].flatten().tolist() == [0, 1, 255, 2, 255]


def test_the_second_division_is_by_the_images_of_the_batch() -> None:
    whole, divided = task(divide=False), task()
    divided.networks[0].load_state_dict(whole.networks[0].state_dict())
    torch.testing.assert_close(divided.loss(batch(), AT)["loss"] * 2, whole.loss(batch(), AT)["loss"])


def test_the_main_layer_is_the_heaviest_unless_named() -> None:
    assert task().main == 2
    assert task(main="b5_2").main == 1
    with pytest.raises(UsageError, match=r"b6.*net\.b4_5"):
        task(main="b6")


@pytest.mark.parametrize("own", [{"loss": "dice"}, {"excluded": "never"}])
def test_unknown_switches(own: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        task(**own)
