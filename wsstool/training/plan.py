"""The protocol of a training task, the plan of a run, and its optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.models.backbones.frozen import OnBackbone


@dataclass(frozen=True)
class Progress:
    """Position of a run: ``epoch`` of ``epochs``, ``step`` of ``steps`` over all epochs, both from 0."""

    epoch: int
    epochs: int
    step: int
    steps: int

    @property
    def done(self) -> float:
        """Completed share of the run, [0, 1)."""
        return self.step / max(1, self.steps)


class Task(Protocol):
    """Interface of a training task. Besides these three methods a task may have

    - ``validate() -> dict``: scores after an epoch, with the modules in eval mode;
    - ``after_step(progress)``: for example to update a teacher;
    - ``end_epoch(progress) -> dict``: metrics for the log;
    - ``state() -> dict`` and ``load_state(dict)``: whatever else must survive an interruption, as tensors,
      numbers, strings, lists and dicts.
    """

    def modules(self) -> Mapping[str, nn.Module]:
        """Return everything that is saved, by name; all modules are moved to the device and trained."""
        ...

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return dicts for the optimiser with ``params``, optionally ``lr_scale`` and ``weight_decay``."""
        ...

    def loss(self, batch: Any, progress: Progress) -> dict[str, Any]:
        """Return ``loss``, to be minimised; other entries, tensors or numbers, are averaged and logged."""
        ...


@dataclass(frozen=True)
class Plan:
    """Settings of a training run.

    Args:
        epochs: passes over the data while the learning rate follows its schedule.
        lr: base learning rate; that of a parameter group is ``lr * lr_scale``.
        optimizer: sgd, adam or adamw.
        schedule: poly, cosine, step or constant.
        warmup_epochs: initial epochs of linear learning-rate warm-up; may be a fraction.
        warmup_start: share of the learning rate at which the warm-up starts, see ``rate_factor``; None: one
            step's increase.
        fall_epochs: lr decay step of the schedule ``step``: the learning rate is divided by ten after every
            this many epochs; 0: after 60 and 85 % of the run.
        min_lr: learning rate at which the schedule ends, 0 to ``lr``.
        cooldown_epochs: further epochs at the last learning rate of the schedule.
        weight_decay: L2 penalty (adamw: decoupled decay) for groups without one of their own.
        momentum: SGD momentum, [0, 1).
        clip: maximum gradient norm over all parameters; 0 disables clipping.
        ema: decay of the moving average of weights that is validated and kept, 0 for none.
        amp: bfloat16 if the device supports it.
        select: score of ``validate`` whose best epoch is kept, of equal ones the first; empty keeps the
            last epoch.
        seed: of everything random.
        checkpoint_minutes: time between checkpoints within an epoch; each epoch also ends with one.
    """

    epochs: int
    lr: float
    optimizer: str = "sgd"
    schedule: str = "poly"
    warmup_epochs: float = 0.0
    warmup_start: float | None = None
    fall_epochs: int = 0
    min_lr: float = 0.0
    cooldown_epochs: int = 0
    weight_decay: float = 1e-4
    momentum: float = 0.9
    clip: float = 0.0
    ema: float = 0.0
    amp: bool = True
    select: str = ""
    seed: int = 0
    checkpoint_minutes: float = 5.0

    @property
    def all_epochs(self) -> int:
        """Passes over the data, the cool-down included."""
        return self.epochs + self.cooldown_epochs


def build_optimizer(plan: Plan, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Build the optimiser of a plan over parameter groups.

    Raises:
        UsageError: no optimiser of that name.
    """
    if plan.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=plan.lr, momentum=plan.momentum, weight_decay=plan.weight_decay)
    if plan.optimizer == "adam":
        return torch.optim.Adam(groups, lr=plan.lr, weight_decay=plan.weight_decay)
    if plan.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=plan.lr, weight_decay=plan.weight_decay)
    raise UsageError(f"no optimizer '{plan.optimizer}'; there are: sgd, adam, adamw")


def parameter_groups(
    network: OnBackbone, backbone_rate: float, bias_rate: float | None = None, *, decay_vectors: bool = True
) -> list[dict[str, Any]]:
    """What the optimiser changes: the backbone at a rate of its own, the head, each in one or two groups.

    Args:
        network: frozen parameters are left out.
        backbone_rate: learning rate of the backbone relative to the head's.
        bias_rate: learning rate of biases relative to the weights beside them, which then have no weight
            decay either; None: as weights.
        decay_vectors: whether biases, the weights of norms and class tokens have weight decay.
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}

    def stands_apart(parameter: nn.Parameter) -> bool:
        name = names[id(parameter)]
        is_vector = parameter.ndim < 2 or name.endswith("cls_token")
        return (name.endswith("bias") and bias_rate is not None) or (is_vector and not decay_vectors)

    groups: list[dict[str, Any]] = []
    for rate, parameters in (
        (backbone_rate, network.backbone.parameters()),
        (1.0, network.head_parameters()),
    ):
        trained = [p for p in parameters if p.requires_grad]
        groups.append({"params": [p for p in trained if not stands_apart(p)], "lr_scale": rate})
        if apart := [p for p in trained if stands_apart(p)]:
            scale = rate if bias_rate is None else rate * bias_rate
            groups.append({"params": apart, "lr_scale": scale, "weight_decay": 0.0})
    return groups
