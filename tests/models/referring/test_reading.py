"""A network learns to read: on drawn pairs, it finds the named object, and not with another's sentence."""

import pytest
import torch
import torch.nn.functional as F

from tests.models.referring.drawn_pairs import WORDS, pairs, true_of_one
from wsstool.models.referring.build import build_referring
from wsstool.training.losses.scales import at_scales

STEPS, BATCH = 350, 16


def test_sentences_are_true_of_one_object():
    assert true_of_one(("red", "square"), ("red", "square"), "left") == [
        "left one",
        "left red square",
        "left square",
    ]
    assert "red one" not in true_of_one(("red", "square"), ("red", "circle"), "left")
    assert "circle" not in true_of_one(("red", "circle"), ("blue", "circle"), "right")


def trained(arch: str) -> torch.nn.Module:
    """A network after ``STEPS`` steps with masks."""
    images, masks, sentences = pairs(600, seed=0)
    torch.manual_seed(0)
    network = build_referring(arch, len(WORDS)).train()
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 30) * (1 - step / STEPS)
    )
    for _ in range(STEPS):
        chosen = torch.randint(len(images), (BATCH,))
        image_of = torch.arange(BATCH).repeat_interleave(2)
        logits = network(images[chosen], sentences[chosen].flatten(0, 1), image_of)
        truth = masks[chosen].flatten(0, 1).float()
        loss = at_scales(
            logits,
            F.binary_cross_entropy_with_logits,
            lambda size, truth=truth: F.adaptive_avg_pool2d(truth, size),
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def overall_iou(network, images, masks, sentences) -> float:
    overlap = union = 0
    for image, truth, words in zip(images, masks, sentences, strict=True):
        found = network(image[None], words, torch.zeros(2, dtype=torch.int64))[-1][:, 0] >= 0
        overlap, union = overlap + int((found & truth).sum()), union + int((found | truth).sum())
    return overlap / union


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["bcam-tiny"])
def test_reads(arch):
    network = trained(arch)
    images, masks, sentences = pairs(150, seed=1)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(2))
    shuffled = sentences.flatten(0, 1)[order].view_as(sentences)
    read, blind = (overall_iou(network, images, masks, words) for words in (sentences, shuffled))
    print(f"{arch}: overall IoU {read:.3f}, with shuffled sentences {blind:.3f}")
    assert read > 0.7 and read > 2 * blind
