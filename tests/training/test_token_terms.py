"""Loss terms of token logits against arithmetic, and what they train."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from wsstool.models.classifier import build_classifier
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.losses.classification import class_loss
from wsstool.training.plan import Progress
from wsstool.training.token_terms import PooledTokens, TokenBatch

START = Progress(epoch=0, epochs=4, step=0, steps=8)
TAGS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def network(seed: int = 0):
    torch.manual_seed(seed)
    return build_classifier("fan-micro", 3, token_head=True)


def images(n: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, 32, 48), generator=torch.Generator().manual_seed(1)).byte()


def task(model, **more) -> ClassificationTask:
    return ClassificationTask(
        model, mean=[0.5] * 3, std=[0.25] * 3, loss="cross-entropy", label_smoothing=0.1, **more
    )


class TestPooledTokens:
    @pytest.mark.parametrize("weight", [0.0, 1.0, 0.3])
    def test_adds_the_class_loss_of_the_mean_token_logits(self, weight):
        model = network().eval()
        measure = class_loss("cross-entropy", label_smoothing=0.1)
        found = task(model, token_terms=PooledTokens(measure, weight=weight)).loss((images(), TAGS), START)
        class_logits, maps = model.with_token_maps((images().float() / 255 - 0.5) / 0.25)
        smooth = TAGS * 0.9 + 0.1 / 3

        def by_hand(logits):
            return -(smooth * F.log_softmax(logits, 1)).sum(1).mean()

        pooled = by_hand(maps.mean((2, 3)))
        torch.testing.assert_close(found["token_loss"], weight * pooled)
        torch.testing.assert_close(found["loss"], by_hand(class_logits) + weight * pooled)

    @pytest.mark.parametrize("gradient", [True, False])
    def test_stopped_gradient_leaves_the_backbone_to_the_class_token(self, gradient):
        model = network()
        terms = PooledTokens(class_loss("cross-entropy"), gradient=gradient)
        features = model.features(images().float() / 255)
        _, found = terms(model, TokenBatch(features, TAGS))
        found["token_loss"].backward()
        trunk = [p.grad for p in model.backbone.parameters() if p.grad is not None]
        assert model.head.aux_head.weight.grad.abs().max() > 0
        assert bool(trunk) == gradient
        assert (model.head.cls_attn_blocks[0].gamma1.grad is not None) == gradient


class TestScore:
    def test_combined_adds_half_the_highest_token_logit(self):
        model = network().eval()
        x = torch.rand(2, 3, 32, 48)
        class_logits, maps = model.with_token_maps(x)
        torch.testing.assert_close(task(model)._validated(x), class_logits)
        combined = task(model, score="combined")._validated(x)
        torch.testing.assert_close(combined, class_logits + 0.5 * maps.flatten(2).max(2).values)
