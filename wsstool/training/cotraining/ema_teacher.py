"""Train a network on its labels and on the predictions of its own moving average."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from wsstool.training.cotraining.segmentation_task import Batch, CoTraining, Setup
from wsstool.training.losses.segmentation import layered_mean
from wsstool.training.plan import Progress
from wsstool.types import IGNORE


class EmaTeacher(CoTraining):
    """Train a network on its labels and on the predictions of its own moving average.

    Args:
        setup: see ``Setup``.
        loss: as in ``CoTraining``.
        decay: of the average, (0, 1); smaller at first, so that the random start is forgotten.
        teacher_weight: weight of the teacher in the target after the ramp, [0, 1]; pixels without a label
            always follow the teacher alone, with this weight.
        ramp: share of the training over which the teacher's weight grows.
        hard: use the teacher's best class instead of its distribution.
    """

    def __init__(
        self, setup: Setup, *, loss: str, decay: float, teacher_weight: float, ramp: float, hard: bool
    ) -> None:
        super().__init__(setup, 1, loss)
        self.decay, self.teacher_weight, self.ramp, self.hard = decay, teacher_weight, ramp, hard
        self.teacher = copy.deepcopy(self.networks[0]).requires_grad_(False).eval()

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "teacher": self.teacher}

    def trained(self) -> list[nn.Module]:
        return [self.teacher]

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = self.prepared(batch)
        logits = self.networks[0](x)
        with torch.no_grad():
            self.teacher.eval()
            target = self.teacher(x).float().softmax(dim=1)  # (B,C,H,W)
            if self.hard:
                target = torch.zeros_like(target).scatter_(1, target.argmax(dim=1, keepdim=True), 1.0)
        weight = self.teacher_weight * (min(progress.done / self.ramp, 1.0) if self.ramp > 0 else 1.0)
        from_teacher = -(target * logits.float().log_softmax(dim=1)).sum(dim=1)  # (B,H,W)
        from_labels = layered_mean(self.losses(logits, labels), labels != IGNORE, self.setup.layer_weights)
        scale = sum(self.setup.layer_weights)
        total = (1 - weight) * from_labels + weight * scale * from_teacher.mean()
        return {"loss": total, "teacher": weight}

    @torch.no_grad()
    def after_step(self, progress: Progress) -> None:
        """Update the teacher: average the parameters, copy the batch-norm statistics."""
        decay = min(self.decay, (1 + progress.step) / (10 + progress.step))
        for mine, other in zip(self.teacher.parameters(), self.networks[0].parameters(), strict=True):
            mine.lerp_(other.detach(), 1 - decay)
        for own, fresh in zip(self.teacher.buffers(), self.networks[0].buffers(), strict=True):
            own.copy_(fresh)
