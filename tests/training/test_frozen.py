"""Frozen backbones, frozen parts, frozen norms: no weight and no batch statistic of theirs moves."""

import numpy as np
import pytest
import torch

from wsstool.models.classifier import build_classifier
from wsstool.models.layers import find_layer
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.plan import Progress


def moved_by_a_step(model, backbone_rate: float) -> set[str]:
    """The entries of the state dict that one step of training changes."""
    task = ClassificationTask(model, mean=[0.5] * 3, std=[0.2] * 3, backbone_rate=backbone_rate)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    optimizer = torch.optim.SGD([p for g in task.parameter_groups() for p in g["params"]], lr=0.1)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 3, 32, 32), dtype=np.uint8))
    tags = torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    task.loss((images, tags), Progress(0, 1, 0, 1))["loss"].backward()
    optimizer.step()
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_classifier("tiny", 2)


def test_the_backbone_stays_as_it_was(model):
    assert moved_by_a_step(model, 0.0) == {"head.weight", "head.bias"}


def test_parts_stay_as_they_were(model):
    model.freeze([find_layer(model, name) for name in ("features.0", "features.2")])
    moved = moved_by_a_step(model, 1.0)
    parts = {name.split(".")[2] for name in moved if name.startswith("backbone.features")}
    assert parts == {"1", "3", "4", "5"} and "backbone.features.1.1.running_mean" in moved


def test_norms_stay_as_they_were(model):
    model.freeze([], norms=True)
    norms = {n for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    moved = moved_by_a_step(model, 1.0)
    assert {n.rpartition(".")[0] for n in moved}.isdisjoint(norms)
    assert len(moved) == sum(p.ndim == 4 for p in model.parameters()) + 1  # convolutions, and the head's bias
    assert all(not model.get_submodule(n).training for n in norms)
