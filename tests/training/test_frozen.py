"""A backbone rate of 0 trains the head alone: no weight and no batch statistic of the backbone moves."""

import numpy as np
import torch

from wsstool.models.classifier import build_classifier
from wsstool.training.classify import ClassificationTask
from wsstool.training.plan import Progress


def test_the_backbone_stays_as_it_was():
    torch.manual_seed(0)
    model = build_classifier("tiny", 2)
    task = ClassificationTask(model, mean=[0.5] * 3, std=[0.2] * 3, loss="soft-margin", backbone_rate=0.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    optimizer = torch.optim.SGD([p for g in task.parameter_groups() for p in g["params"]], lr=0.1)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (4, 3, 32, 32), dtype=np.uint8))
    tags = torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0]])
    task.loss((images, tags), Progress(0, 1, 0, 1))["loss"].backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"head.weight", "head.bias"}
