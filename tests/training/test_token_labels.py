"""Token labels and their loss against arithmetic and the statistics of the Gumbel distribution."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from wsstool.training.losses.token_labels import dense_loss, token_targets

PROBABILITIES = torch.tensor([0.6, 0.3, 0.1])


class TestOneLabel:
    def test_soft_is_the_softmax(self):
        logits = torch.randn(2, 5, 3)
        torch.testing.assert_close(token_targets(logits, "soft"), logits.softmax(-1))

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_argmax_by_hand(self, smoothing):
        found = token_targets(
            torch.tensor([[[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]]), "argmax", smoothing=smoothing
        )
        on, off = 1 - smoothing + smoothing / 3, smoothing / 3
        torch.testing.assert_close(found, torch.tensor([[[off, on, off], [on, off, off]]]))

    def test_published_values_of_smoothing(self):
        found = token_targets(torch.randn(1, 4, 1000), "gumbel")
        assert sorted({round(v, 6) for v in found.flatten().tolist()}) == [0.0001, 0.9001]
        torch.testing.assert_close(found.sum(-1), torch.ones(1, 4))

    def test_gumbel_draws_classes_by_their_probability(self):
        torch.manual_seed(0)
        logits = PROBABILITIES.log().expand(1, 40_000, 3) + 5.0  # a shift changes nothing
        found = token_targets(logits, "gumbel", smoothing=0.0)
        assert set(found.flatten().tolist()) == {0.0, 1.0}
        deviation = (PROBABILITIES * (1 - PROBABILITIES) / 40_000).sqrt()
        assert ((found.mean((0, 1)) - PROBABILITIES).abs() < 4 * deviation).all()

    def test_gumbel_is_that_of_torch(self):
        logits = torch.randn(2, 7, 4)
        torch.manual_seed(3)
        theirs = F.gumbel_softmax(logits, tau=1.0, hard=True)
        torch.manual_seed(3)
        torch.testing.assert_close(token_targets(logits, "gumbel", smoothing=0.0), theirs)


class TestTags:
    tags = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    logits = torch.tensor([[[1.0, 9.0, 1.0], [0.0, 9.0, 2.0]], [[9.0, 0.0, 9.0], [1.0, 2.0, 3.0]]])

    def test_soft_is_the_sigmoid_of_tagged_classes(self):
        found = token_targets(self.logits, "soft", tags=self.tags)
        assert found[0, 1].tolist() == pytest.approx([0.5, 0, 1 / (1 + math.exp(-2))])
        assert found[1, 1].tolist() == pytest.approx([0, 1 / (1 + math.exp(-2)), 0])

    def test_hard_labels_are_smoothed_per_class(self):
        logits = torch.tensor([[[1.0, 9.0, -1.0], [-2.0, 9.0, -3.0]]])
        found = token_targets(logits, "argmax", tags=self.tags[:1], smoothing=0.2)
        torch.testing.assert_close(found, torch.tensor([[[0.9, 0.0, 0.1], [0.1, 0.0, 0.1]]]))

    def test_gumbel_draws_each_tagged_class_by_its_probability(self):
        torch.manual_seed(0)
        logits = PROBABILITIES.logit().expand(1, 20_000, 3)
        found = token_targets(logits, "gumbel", tags=torch.tensor([[1.0, 0.0, 1.0]]), smoothing=0.0)
        assert set(found.flatten().tolist()) == {0.0, 1.0}
        assert found.mean((0, 1)).tolist() == pytest.approx([0.6, 0, 0.1], abs=0.015)

    @pytest.mark.parametrize("form", ["soft", "argmax", "gumbel"])
    def test_one_tag_leaves_tokens_without_the_object_unlabelled(self, form):
        logits = torch.tensor([[[30.0, 0.0], [-30.0, 0.0]]])
        found = token_targets(logits, form, tags=torch.tensor([[1.0, 0.0]]), smoothing=0.0)
        torch.testing.assert_close(found, torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]))

    @pytest.mark.parametrize("form", ["soft", "argmax", "gumbel"])
    def test_no_tag_means_no_target(self, form):
        assert (token_targets(torch.randn(1, 2, 3), form, tags=torch.zeros(1, 3)) == 0).all()


class TestLoss:
    def test_of_the_softmax_by_hand(self):
        logits, targets = torch.randn(2, 3, 4), torch.rand(2, 3, 4)
        by_hand = sum(-float(targets[b, n] @ logits[b, n].log_softmax(0)) for b in range(2) for n in range(3))
        assert dense_loss(logits, targets).item() == pytest.approx(by_hand / 6, rel=1e-5)
        labels = torch.tensor([[1, 0, 3], [2, 2, 0]])
        theirs = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        torch.testing.assert_close(dense_loss(logits, F.one_hot(labels, 4).float()), theirs)

    def test_of_every_class_by_hand(self):
        logits, targets = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[1.0, 0.25]]])
        p = torch.sigmoid(torch.tensor(2.0))
        by_hand = (torch.tensor(0.5).log() + 0.25 * p.log() + 0.75 * (1 - p).log()) / -2
        torch.testing.assert_close(dense_loss(logits, targets, multi_label=True), by_hand)
