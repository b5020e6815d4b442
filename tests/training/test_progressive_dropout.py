"""Progressive dropout attention: a case on paper, the schedule, gradients, an independent slow reference."""

from __future__ import annotations

import pytest
import torch

from wsstool.errors import UsageError
from wsstool.models.classifier import build_classifier
from wsstool.registry import ATTENTIONS
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.plan import Progress
from wsstool.training.progressive_dropout import peak_share, progressive_dropout


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


def slow(features: torch.Tensor, weight: torch.Tensor, share: float, divisor: float) -> torch.Tensor:
    """Position by position."""
    result = torch.zeros_like(features)
    n, _, height, width = features.shape
    for i in range(n):
        for row in range(height):
            for column in range(width):
                attention = 0.0
                for w in weight:
                    maps = (w[:, None, None] * features[i]).sum(0).clamp(min=0)
                    if maps[row, column] <= share * maps.max():
                        attention += float(maps[row, column])
                result[i, :, row, column] = features[i, :, row, column] * attention / divisor
    return result


def test_on_paper() -> None:
    # class 0 sees (4, 3, 0), class 1 sees (0, 1, 2); in epoch 3 all above .9412 of the peak goes
    x = torch.tensor([[4.0, 3, 0], [0, 1, 2]]).view(1, 2, 1, 3)
    found = progressive_dropout(x, torch.eye(2)[:, :, None, None], 3)
    assert found.tolist() == [[[[0, 3 * (3 + 1) / 4, 0]], [[0, 1 * (3 + 1) / 4, 0]]]]


@pytest.mark.parametrize("classes", [1, 3, 7])
def test_against_the_slow_reference(classes: int) -> None:
    x, weight = drawn(2, 5, 3, 4), drawn(classes, 5)
    for epoch in (3, 10, 40):
        found = progressive_dropout(x, weight, epoch, divisor=2.5)
        torch.testing.assert_close(found, slow(x, weight, peak_share(epoch), 2.5))


def test_off_before_its_epoch() -> None:
    x, weight = drawn(1, 2, 3, 3), drawn(2, 2)
    assert all(progressive_dropout(x, weight, epoch) is x for epoch in (0, 1, 2))
    assert progressive_dropout(x, weight, 3) is not x
    assert progressive_dropout(x, weight, 1, start_epoch=1) is not x


def test_schedule() -> None:
    for epoch in range(20):
        assert peak_share(epoch) == pytest.approx(0.98**epoch)
    assert peak_share(21) > 0.65 > peak_share(22) == pytest.approx(0.98**22)
    assert peak_share(22) == peak_share(1000)
    assert peak_share(9, factor=1.0) == 1.0 and peak_share(9, factor=0.5, floor=0.2) == 0.125


def test_a_share_of_one_drops_nothing() -> None:
    x, weight = drawn(2, 3, 4, 4).abs(), drawn(2, 3).abs()
    maps = torch.einsum("cf,bfhw->bchw", weight, x)
    found = progressive_dropout(x, weight, 5, factor=1.0)
    torch.testing.assert_close(found, x * maps.sum(1, keepdim=True) / 4)
    assert not progressive_dropout(x, -weight, 5).any(), "no class is seen anywhere"


def test_images_and_classes_have_their_own_peaks() -> None:
    x, weight = drawn(3, 4, 5, 5), drawn(2, 4)
    together = progressive_dropout(x, weight, 8)
    for i in range(3):
        torch.testing.assert_close(progressive_dropout(x[i : i + 1], weight, 8)[0], together[i])
    torch.testing.assert_close(progressive_dropout(x * 3, weight, 8), together * 9)  # x' is of second degree


def test_gradients_flow_through_features_attention_and_weight() -> None:
    x, weight = drawn(2, 3, 3, 3, dtype=torch.float64), drawn(2, 3, dtype=torch.float64)
    x.requires_grad_(), weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, w: progressive_dropout(a, w, 7), (x, weight))


@pytest.mark.parametrize("head_bias", [True, False])
def test_the_task_uses_it_in_training_alone(head_bias: bool) -> None:
    torch.manual_seed(0)
    model = build_classifier("tiny", 3, head_bias=head_bias)
    seen = []

    def attention(features: torch.Tensor, weight: torch.Tensor, epoch: int) -> torch.Tensor:
        seen.append(epoch)
        return ATTENTIONS.load("progressive-dropout")(features, weight, epoch)

    task = ClassificationTask(model, mean=[0.0] * 3, std=[1.0] * 3, attention=attention)
    batch = (torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.eye(4)[:, :3])
    model.train()
    plain = ClassificationTask(model, mean=[0.0] * 3, std=[1.0] * 3)
    assert task.loss(batch, Progress(2, 9, 0, 9))["loss"] == plain.loss(batch, Progress(2, 9, 0, 9))["loss"]
    with_it = task.loss(batch, Progress(3, 9, 0, 9))["loss"]
    assert with_it != plain.loss(batch, Progress(3, 9, 0, 9))["loss"]
    with_it.backward()
    assert model.head.weight.grad is not None and model.backbone.features[0][0].weight.grad.abs().sum() > 0
    assert seen == [2, 3]
    model.eval()(batch[0].float())
    assert seen == [2, 3]


@pytest.mark.parametrize("own", [{"divisor": 0.0}, {"factor": 0.0}, {"factor": 1.1}, {"floor": -0.1}])
def test_options_outside_their_range(own: dict) -> None:
    with pytest.raises(UsageError, match="progressive dropout needs"):
        progressive_dropout(drawn(1, 2, 3, 3), drawn(2, 2), 0, **own)
