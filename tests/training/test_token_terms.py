"""Loss terms of token logits against arithmetic, and what they train."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from wsstool.models.classifier import build_classifier
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.losses.classification import class_loss
from wsstool.training.mixing import Mixing
from wsstool.training.plan import Progress
from wsstool.training.token_terms import Labeler, PooledTokens, TokenBatch, TokenLabels

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
        _, found = terms(model, TokenBatch(features, TAGS, TAGS, None, START))
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

    @pytest.mark.parametrize("score", ["class", "combined"])
    def test_selects_the_epoch_by_the_logits_that_it_names(self, score, tmp_path):
        model, paths = network().eval(), [tmp_path / f"{i}.png" for i in range(4)]
        pixels = images(4).movedim(1, -1).numpy()
        for path, one in zip(paths, pixels, strict=True):
            Image.fromarray(one).save(path)
        tags = np.eye(3, dtype=np.uint8)[[0, 2, 1, 0]]
        own = task(model, score=score, validation=(DecodedImages(paths), range(4), tags))
        with torch.no_grad():
            found = own.validate()
            class_logits, maps = model.with_token_maps((images(4).float() / 255 - 0.5) / 0.25)
        logits = class_logits + (0.5 * maps.flatten(2).amax(2) if score == "combined" else 0)
        by_hand = F.cross_entropy(logits, torch.tensor([0, 2, 1, 0]), label_smoothing=0.1)
        assert found["val_loss"] == pytest.approx(by_hand.item(), rel=1e-4)
        right = (logits.argmax(1) == torch.tensor([0, 2, 1, 0])).float().mean()
        assert found["exact_match"] == pytest.approx(right.item())


def test_weight_decay_as_published():
    """None on vectors, biases and the class token, but on every other weight, temperatures included."""
    model = network()
    groups = task(model).parameter_groups()
    names = {id(p): name for name, p in model.named_parameters()}
    decayed = {names[id(p)] for group in groups if "weight_decay" not in group for p in group["params"]}
    assert decayed == {n for n, p in model.named_parameters() if p.ndim > 1 and not n.endswith("cls_token")}
    assert "head.aux_head.weight" in decayed and "backbone.blocks.0.mlp.temperature" in decayed
    assert sum(len(group["params"]) for group in groups) == len(names)


class TestTokenLabels:
    @pytest.mark.parametrize("multi_label", [False, True])
    def test_adds_the_cross_entropy_to_the_labels_of_the_teacher(self, multi_label):
        model, teacher = network().eval(), network(7).eval()
        order = [2, 0, 1]
        terms = TokenLabels(
            Labeler([0.5] * 3, [0.25] * 3, teacher, order), "argmax", weight=0.5, multi_label=multi_label
        )
        noisy, clean = images(), images().flip(0)
        own = task(model, token_terms=terms)
        found = own.loss((noisy, TAGS, clean), START)
        _, labelled = teacher.with_token_maps((clean.float() / 255 - 0.5) / 0.25)
        logits = model.with_token_maps((noisy.float() / 255 - 0.5) / 0.25)[1]
        labelled = labelled[:, order]  # (B,K,h,w)
        if multi_label:
            targets = (0.9 * (labelled > 0) + 0.05) * TAGS[..., None, None]
            by_hand = F.binary_cross_entropy_with_logits(logits, targets)
        else:
            by_hand = F.cross_entropy(logits, labelled.argmax(1), label_smoothing=0.1)
        torch.testing.assert_close(found["dense_loss"], 0.5 * by_hand)
        plain = task(model).loss((noisy, TAGS), START)["loss"]
        torch.testing.assert_close(found["loss"], plain + 0.5 * by_hand)

    def test_never_touches_the_teacher(self):
        model, teacher = network(), network(7).eval()
        before = {k: v.clone() for k, v in teacher.state_dict().items()}
        terms = TokenLabels(Labeler([0.5] * 3, [0.25] * 3, teacher))
        task(model, token_terms=terms).loss((images(), TAGS, images()), START)["loss"].backward()
        assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
        assert all(p.grad is None for p in teacher.parameters()) and not teacher.training
        assert all(p.grad is not None for p in model.parameters())

    def test_online_labels_are_the_student_s_own_in_eval_mode(self):
        model = network()
        model.freeze([model.backbone.patch_embed])
        labeler = Labeler([0.5] * 3, [0.25] * 3)
        statistics = {k: v.clone() for k, v in model.state_dict().items()}
        found = labeler(model, images())
        assert model.training and not model.backbone.patch_embed.training and not found.requires_grad
        assert all(torch.equal(v, statistics[k]) for k, v in model.state_dict().items())
        wanted = model.eval().with_token_maps((images().float() / 255 - 0.5) / 0.25)[1]
        torch.testing.assert_close(found, wanted.flatten(2).transpose(1, 2))

    def test_targets_of_tokens_are_never_mixed(self):
        """With mixing, the class loss has mixed targets and the tokens those of the teacher's image."""
        model, teacher = network().eval(), network(7).eval()
        terms = TokenLabels(Labeler([0.5] * 3, [0.25] * 3, teacher), "soft")
        found = task(model, token_terms=terms, mixing=Mixing(mixup=0.8)).loss(
            (images(), TAGS, images()), START
        )
        mixed, targets = Mixing(mixup=0.8)(images(), TAGS, 0)
        class_logits, maps = model.with_token_maps((mixed.float() / 255 - 0.5) / 0.25)
        labelled = teacher.with_token_maps((images().float() / 255 - 0.5) / 0.25)[1].softmax(1)
        dense = -(labelled * maps.log_softmax(1)).sum(1).mean()
        smooth = 0.9 * targets + 0.1 / 3
        by_hand = -(smooth * class_logits.log_softmax(1)).sum(1).mean()
        torch.testing.assert_close(found["dense_loss"], dense)
        torch.testing.assert_close(found["loss"], by_hand + dense)
        assert "train_exact_match" not in found

    def test_weight_grows_with_the_root_of_the_epoch(self):
        labeler = Labeler([0.5] * 3, [0.25] * 3)
        at = [Progress(epoch=e, epochs=4, step=0, steps=8) for e in (0, 1, 3)]
        growing = TokenLabels(labeler, weight=2.0, growth=True)
        assert [growing.weight_at(one) for one in at] == pytest.approx([0, 1.0, 3**0.5])
        assert [TokenLabels(labeler, weight=2.0).weight_at(one) for one in at] == [2.0] * 3
