"""Losses and scores of tags against arithmetic and torchmetrics; views; the cache of decoded images."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsstool.data.augmentation.transforms import RandomResizedCrop
from wsstool.errors import UsageError
from wsstool.registries.losses import CLASS_LOSSES
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.tagged_images import TaggedImages
from wsstool.training.losses.classification import class_loss, cross_entropy, soft_margin


def test_soft_margin_by_hand() -> None:
    logits, tags = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[1.0, 0.0]])
    assert soft_margin(logits, tags).item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert soft_margin(logits, tags, positive_weight=3.0).item() == pytest.approx(
        (3 * math.log(2) + math.log(4)) / 2
    )
    torch.testing.assert_close(soft_margin(logits, tags), torch.nn.MultiLabelSoftMarginLoss()(logits, tags))


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)]])
    assert cross_entropy(logits, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(math.log(4))
    assert cross_entropy(logits, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(
        (math.log(4) + math.log(4 / 3)) / 2
    )
    with pytest.raises(UsageError):
        cross_entropy(logits, logits, positive_weight=2.0)


@pytest.mark.parametrize("loss", CLASS_LOSSES.names())
def test_smoothing_keeps_sure_answers_from_being_free(loss: str) -> None:
    logits, tags = torch.tensor([[30.0, -30.0]]), torch.tensor([[1.0, 0.0]])
    smoothed = class_loss(loss, label_smoothing=0.1)
    assert class_loss(loss)(logits, tags).item() < 1e-6 < smoothed(logits, tags).item()


def test_a_view_of_everything_is_the_resized_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    crop = RandomResizedCrop(20, (1.0, 1.0), flip=False)
    np.testing.assert_array_equal(crop(image, np.random.default_rng(1)), image)


def test_views_show_what_was_asked_for() -> None:
    rows, columns = np.mgrid[:60, :90]
    image = np.stack([rows, columns, np.zeros_like(rows)], -1).astype(np.uint8)
    crop = RandomResizedCrop(64, (0.3, 0.6), flip=False)
    for seed in range(20):
        view = crop(image, np.random.default_rng(seed)).astype(float)
        height = (view[-1, 0, 0] - view[0, 0, 0]) * 64 / 63
        width = (view[0, -1, 1] - view[0, 0, 1]) * 64 / 63
        assert 0.25 < height * width / 5400 < 0.65
        assert 0.7 < width / height < 1.45


def test_flips_mirror() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    seen = set()
    crop = RandomResizedCrop(16, (1.0, 1.0), flip_vertical=True)
    turns = {"": image, "h": image[:, ::-1], "v": image[::-1], "hv": image[::-1, ::-1]}
    for seed in range(30):
        view = crop(image, np.random.default_rng(seed))
        seen |= {name for name, turned in turns.items() if np.array_equal(turned, view)}
    assert seen == set(turns)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3)])
def test_odd_shapes_have_views(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 9, np.uint8)
    view = RandomResizedCrop(8, (0.1, 1.0), color_jitter=0.0)(image, np.random.default_rng(0))
    assert view.shape == (8, 8, 3) and (view == 9).all()


def test_images_keep_what_fits_and_name_what_fails(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i in (0, 2):
        Image.new("RGB", (10, 10), (i, 0, 0)).save(paths[i])
    paths[1].write_bytes(b"")
    images = DecodedImages(paths, limit=300)
    assert list(images.failed) == [1] and "1.png" in images.failed[1]
    paths[0].unlink()
    assert images[0][0, 0, 0] == 0 and images[2][0, 0, 0] == 2


def test_items_depend_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    sets = [
        TaggedImages(DecodedImages([path]), np.ones((2, 1)), [0, 0], RandomResizedCrop(16), seed=seed)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(sets[0][3, 1][0], sets[1][3, 1][0])
    for other in (sets[0][4, 1], sets[0][3, 0], sets[2][3, 1]):
        assert not torch.equal(sets[0][3, 1][0], other[0])
