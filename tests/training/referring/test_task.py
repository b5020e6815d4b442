"""The loss of a batch of sentences: a sum over scales, shared images, box slack."""

import pytest
import torch

from wsstool.models.referring.build import build_referring
from wsstool.training.contour_task import Term
from wsstool.training.losses.box_targets import box_target
from wsstool.training.losses.object_mask import object_mask
from wsstool.training.losses.tightness import tightness
from wsstool.training.losses.zero import zero
from wsstool.training.plan import Progress
from wsstool.training.referring_task import ReferringTask

START = Progress(0, 1, 0, 10)
COLOURS = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(3, 32, 32, dtype=torch.uint8)
    mask[:, 8:16, 4:20] = 1
    return {
        "image": torch.randint(256, (2, 3, 32, 32), generator=generator, dtype=torch.uint8),
        "image_of": torch.tensor([0, 0, 1]),
        "words": torch.tensor([[0, 2, 3], [0, 0, 4], [2, 2, 5]]),
        "box": torch.tensor([[4.0, 8.0, 20.0, 16.0]]).repeat(3, 1),
        "mask": mask,
    }


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_referring("bcam-tiny", 8, width=16, decoder_width=16).eval()


def targets(batch, size, **more):
    images = batch["image"][batch["image_of"]]
    return box_target(batch["box"], images, torch.tensor([[32, 32]] * 3), size, **more)


@pytest.mark.parametrize("weights", [None, [0.0, 0.5, 1.0, 2.0, 4.0]])
def test_the_loss_is_the_weighted_sum_over_scales_and_terms(network, batch, weights):
    terms = [Term("tightness", 2.0, tightness), Term("zero", 0.05, zero), Term("mask", 1.0, object_mask)]
    task = ReferringTask(network, terms, scale_weights=weights, slack=0.1, **COLOURS)
    found = task.loss(batch, START)
    x = (batch["image"].float() / 255 - 0.5) / 0.25
    expected = dict.fromkeys(("tightness", "zero", "mask"), torch.tensor(0.0))
    for k, logits in enumerate(network(x, batch["words"], batch["image_of"])):
        target = targets(batch, tuple(logits.shape[2:]), slack=0.1, mask=batch["mask"])
        for term in terms:
            share = 1.0 if weights is None else weights[k]
            expected[term.name] = expected[term.name] + share * term.loss(logits[:, 0], target)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-6)
    total = 2 * expected["tightness"] + 0.05 * expected["zero"] + expected["mask"]
    assert torch.allclose(found["loss"], total, atol=1e-6)


def test_box_target_shares_the_image_of_several_boxes(batch):
    one = targets(batch, (8, 8))
    other = box_target(
        batch["box"], batch["image"], torch.tensor([[32, 32]] * 3), (8, 8), image_of=batch["image_of"]
    )
    assert torch.equal(one.image, other.image) and torch.equal(one.valid, other.valid)


def test_sentences_without_a_known_mask_do_not_count(network, batch):
    task = ReferringTask(network, [Term("mask", 1.0, object_mask)], **COLOURS)
    batch["mask"][2] = 255
    known = task.loss(batch, START)["loss"]
    two = {k: v[:2] for k, v in batch.items() if k != "image"} | {"image": batch["image"]}
    assert torch.allclose(known, task.loss(two, START)["loss"], atol=1e-6)


def test_the_backbone_has_a_rate_of_its_own(network):
    groups = ReferringTask(network, [], backbone_rate=0.1, **COLOURS).parameter_groups()
    assert [group["lr_scale"] for group in groups] == [0.1, 1.0]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
