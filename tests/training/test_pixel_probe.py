"""The pixel probe: cells stand for pixels, every image counts alike, and systematic truth outvotes errors."""

import numpy as np
import pytest
import torch

from wsstool.models.segmenter import build_segmenter
from wsstool.training.pixel_probe import cell_shares, cells, outputs_of, pixel_probe

EVERY = outputs_of([0, 1, 2])


def test_shares_of_a_cell_are_areas_and_void_is_nobodys():
    maps = np.array([[[0, 0, 1, 255], [0, 2, 1, 255]]], np.uint8)
    shares = cell_shares(maps, [1.0], EVERY, (1, 2))
    assert shares[:, 0, 0].tolist() == [0.75, 0, 0.25]
    assert shares[:, 0, 1].tolist() == [0, 0.5, 0]


def test_label_maps_count_by_their_weights():
    maps = np.array([[[0, 0]], [[1, 1]], [[255, 255]]], np.uint8)
    shares = cell_shares(maps, [0.6, 0.2, 0.2], EVERY, (1, 1))
    assert shares.flatten().tolist() == pytest.approx([0.6, 0.2, 0])


def test_a_class_without_an_output_does_not_count():
    table = outputs_of([1, 2])
    shares = cell_shares(np.array([[[0, 2]]], np.uint8), [1.0], table, (1, 2))
    assert shares[:, 0].tolist() == [[0, 0], [0, 1]]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build_segmenter("linear-tiny", 3)


def drawn(model, pictures, masks, numbers, **more):
    return cells(
        model,
        lambda i: pictures[i],
        lambda i: masks[i],
        numbers,
        layer_weights=[1.0],
        outputs=EVERY,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        **more,
    )


def test_as_many_cells_from_every_image_and_none_without_a_label(model):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(3)]
    masks = [np.zeros((1, 48, 64), np.uint8) for _ in range(3)]
    masks[1][:] = 255
    features, shares = drawn(model, pictures, masks, range(3), scales=(1.0, 1.5), most=30)
    assert features.shape == (20, model.head.classify.in_channels)  # 2 labelled images x 2 scales x 5
    assert torch.allclose(shares.sum(1), torch.ones(20))
    again, _ = drawn(model, pictures, masks, range(3), scales=(1.0, 1.5), most=30)
    other, _ = drawn(model, pictures, masks, range(3), scales=(1.0, 1.5), most=30, seed=1)
    assert torch.equal(features, again) and not torch.equal(features, other)


def test_the_answer_is_better_than_the_labels_it_learned_from(model):
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (3000,), generator=generator)
    width = model.head.classify.in_channels
    centres = torch.randn(3, width, generator=generator)
    features = centres[truth] + 0.8 * torch.randn(3000, width, generator=generator)
    wrong = torch.rand(3000, generator=generator) < 0.3
    labels = torch.where(wrong, (truth + 1) % 3, truth)
    shares = torch.nn.functional.one_hot(labels, 3).float()
    right = pixel_probe(model, features, shares, penalty=1.0)
    answers = model.head.classify(features[:, :, None, None]).argmax(1).flatten()
    assert float((answers == truth).float().mean()) > 0.97
    assert right == pytest.approx(float((answers == labels).float().mean()), abs=1e-6)
    assert 0.65 < right < 0.75  # it does not follow the wrong ones


def test_the_fit_is_the_minimum(model):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(400, model.head.classify.in_channels, generator=generator)
    shares = torch.rand(400, 3, generator=generator)
    shares = shares / shares.sum(1, keepdim=True)
    pixel_probe(model, features, shares, penalty=0.5)
    spread = float(features.std(0).mean())
    w = (model.head.classify.weight[:, :, 0, 0].detach().double() * spread).requires_grad_()
    b = model.head.classify.bias.detach().double()
    logits = features.double() / spread @ w.T + b
    (-(shares * logits.log_softmax(1)).sum(1).mean() + 0.5 * w.square().sum(1).mean()).backward()
    assert w.grad.abs().max() < 1e-3
