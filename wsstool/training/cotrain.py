"""Ways to learn a segmenter from masks with errors: plain, two exchanging networks, one, or a teacher.

Each way is a function ``f(setup, **own) -> CoTraining``, a task for ``training/loop.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.training.drop_report import WARN_ABOVE, DropReport
from wsstool.training.losses.segmentation import layered_losses, layered_mean
from wsstool.training.loop import Progress
from wsstool.training.noise_rate import ConfidentJoint
from wsstool.training.small_loss import POOLS, keep_share, small_loss_pixels
from wsstool.types import IGNORE, SILENT, Messages


@dataclass(frozen=True)
class Setup:
    """What every way of training needs to know.

    Attributes:
        build: number of a network (0, 1) -> the network with its own random start.
        class_names: C names; output c is class c.
        background: its class id, or -1.
        layer_weights: weight of each label map of an image.
        noise_rate: share of wrong labels, [0, 1), or None to estimate it after the warm-up.
        groups: network -> parameter groups for the optimiser.
        validate: network in eval mode -> scores, or None.
        messages: where estimates and warnings go.
    """

    build: Callable[[int], nn.Module]
    class_names: Sequence[str]
    background: int = -1
    layer_weights: Sequence[float] = (1.0,)
    noise_rate: float | None = 0.0
    groups: Callable[[nn.Module], list[dict[str, Any]]] = lambda network: [{"params": list(network.parameters())}]
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None
    messages: Messages = SILENT


Batch = tuple[torch.Tensor, torch.Tensor]
"""Images (B,3,H,W) float32 and label maps (B,L,H,W), 255 = ignore."""


class CoTraining:
    """A task: one or two networks, the loss of a batch, and what to keep at the end.

    Args:
        setup: see ``Setup``.
        n_networks: 1 or 2.
        loss: cross-entropy, generalised or symmetric.
    """

    def __init__(self, setup: Setup, n_networks: int, loss: str = "cross-entropy") -> None:
        self.setup = setup
        self.loss_kind = loss
        self.networks = [setup.build(i) for i in range(n_networks)]

    def modules(self) -> dict[str, nn.Module]:
        """Everything with state: what a checkpoint holds."""
        return {f"network_{i + 1}": network for i, network in enumerate(self.networks)}

    def trained(self) -> list[nn.Module]:
        """The networks for the weights file, the one to use first."""
        return list(self.networks)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [group for network in self.networks for group in self.setup.groups(network)]

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = batch
        losses = self.losses(self.networks[0](x), labels)
        return {"loss": layered_mean(losses, labels != IGNORE, self.setup.layer_weights)}

    def losses(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(B,C,H,W), (B,L,H,W) -> (B,L,H,W)."""
        return layered_losses(logits, labels, kind=self.loss_kind)

    def validate(self) -> dict[str, float]:
        """Scores of the first network of ``trained`` at the end of an epoch."""
        if self.setup.validate is None:
            return {}
        return dict(self.setup.validate(self.trained()[0]))


class Selecting(CoTraining):
    """Small-loss selection: each network learns from pixels that a judge network (itself, its peer) finds easy.

    Args:
        setup: see ``Setup``.
        judges: for each network, the number of the network that selects its pixels.
        loss: as ``CoTraining``.
        pool: as ``small_loss_pixels``.
        ramp: share of the training over which dropping grows to the full noise rate.
        warmup: share of the training before that; used when the noise rate is estimated, else 0.
    """

    def __init__(
        self, setup: Setup, judges: Sequence[int], *, loss: str, pool: str, ramp: float, warmup: float
    ) -> None:
        if pool not in POOLS:
            raise UsageError(f"no pool '{pool}' for small-loss selection; there are: {', '.join(POOLS)}")
        if setup.noise_rate is not None and not 0 <= setup.noise_rate < 1:
            raise UsageError(f"noise rate {setup.noise_rate} is not in [0, 1)")
        super().__init__(setup, len(judges), loss)
        self.judges, self.pool, self.ramp = tuple(judges), pool, ramp
        self.warmup = warmup if setup.noise_rate is None else 0.0
        self.joint = ConfidentJoint(len(setup.class_names))
        self.report = DropReport(len(setup.class_names))
        self.main_layer = max(range(len(setup.layer_weights)), key=lambda l: setup.layer_weights[l])
        self._said: set[str] = set()

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "joint": self.joint, "report": self.report}

    @property
    def noise_rate(self) -> float:
        """The given share of wrong labels, or the estimate so far."""
        return self.joint.estimate() if self.setup.noise_rate is None else self.setup.noise_rate

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = batch
        logits = [network(x) for network in self.networks]
        losses = [self.losses(one, labels) for one in logits]
        valid = labels != IGNORE  # (B,L,H,W)
        main, counted = labels[:, self.main_layer], valid.any(dim=1)
        done = progress.done
        if self.warmup / 2 <= done < self.warmup:  # the first half knows too little to be asked
            probs = torch.stack([one.detach().float().softmax(dim=1) for one in logits]).mean(dim=0)
            self.joint.update(probs, main, valid[:, self.main_layer])
        rate = self.noise_rate
        share = keep_share(done - self.warmup, noise_rate=rate, ramp_steps=self.ramp)
        if self.setup.noise_rate is None and done >= self.warmup:
            self._once("rate", f"noise rate estimated at {rate:.3f} of the labelled pixels")
        easy = [self._easy(one.detach(), main, counted, share) for one in losses]  # (B,H,W) each
        total = losses[0].new_zeros(())
        for network, judge in enumerate(self.judges):
            kept = valid & easy[judge][:, None]
            total = total + layered_mean(losses[network], kept, self.setup.layer_weights)
        self.report.update(main, valid[:, self.main_layer], easy[self.judges[0]])
        return {"loss": total, "kept": share}

    def _easy(self, losses: torch.Tensor, main: torch.Tensor, counted: torch.Tensor, share: float) -> torch.Tensor:
        weights = losses.new_tensor(list(self.setup.layer_weights))[:, None, None]
        return small_loss_pixels((weights * losses).sum(dim=1), main, counted, share, pool=self.pool)

    def end_epoch(self, progress: Progress) -> dict[str, Any]:
        """What was dropped in this epoch, and a warning where that is too much."""
        figures = self.report.take(self.setup.class_names, background=self.setup.background)
        foreground = figures.get("dropped_foreground", 0.0)
        if foreground > WARN_ABOVE:
            self.setup.messages.warn(
                f"{foreground:.0%} of the pixels labelled foreground were dropped in this epoch "
                f"(noise rate {self.noise_rate:.3f}); a lower --noise-rate may learn more"
            )
        return {**figures, "noise_rate": self.noise_rate}

    def _once(self, key: str, text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self.setup.messages.say(text)


class EmaTeacher(CoTraining):
    """A network that learns from its labels and from its own running average.

    Args:
        setup: see ``Setup``.
        loss: as ``CoTraining``.
        decay: of the average, (0, 1); smaller at first, so that the random start is forgotten.
        teacher_weight: of the teacher in the target once ramped up, [0, 1]; pixels without a label always
            follow the teacher alone, with this weight.
        ramp: share of the training over which the teacher's weight grows.
        hard: the teacher gives its best class instead of its distribution.
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
        x, labels = batch
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
        """Move the teacher: average the parameters, copy the statistics of batch norm."""
        decay = min(self.decay, (1 + progress.step) / (10 + progress.step))
        for mine, other in zip(self.teacher.parameters(), self.networks[0].parameters(), strict=True):
            mine.lerp_(other.detach(), 1 - decay)
        for mine, other in zip(self.teacher.buffers(), self.networks[0].buffers(), strict=True):
            mine.copy_(other)


def plain(setup: Setup, *, loss: str = "cross-entropy") -> CoTraining:
    """Cross-entropy (or a robust loss) on every labelled pixel.

    Args:
        setup: see ``Setup``; its noise rate is not used.
        loss: cross-entropy, generalised or symmetric; the last two learn wrong labels more slowly.
    """
    return CoTraining(setup, 1, loss)


def coteaching(
    setup: Setup, *, loss: str = "cross-entropy", pool: str = "batch", ramp: float = 0.3, warmup: float = 0.2
) -> CoTraining:
    """Two networks from different starts; each learns from the pixels that are easy for the other.

    A wrong label is learned late, so it has a large loss early; and the two networks, which start
    differently, do not make the same mistakes, so neither confirms its own.

    Args:
        setup: see ``Setup``; a noise rate near the real share of wrong pixels matters more than anything else.
        loss: cross-entropy, generalised or symmetric.
        pool: batch, image or class: among which pixels the loss is ranked.
        ramp: share of the training over which dropping grows to the noise rate, [0, 1].
        warmup: share of the training that comes first when the noise rate is estimated, (0, 1).

    Notes:
        Both networks see the same batch and stay in train mode. With noise rate 0 each is trained plainly.
    Source:
        Han et al., NeurIPS 2018, algorithm 1, per pixel. Written from the paper.
    """
    return Selecting(setup, (1, 0), loss=loss, pool=pool, ramp=ramp, warmup=warmup)


def self_training(
    setup: Setup, *, loss: str = "cross-entropy", pool: str = "batch", ramp: float = 0.3, warmup: float = 0.2
) -> CoTraining:
    """One network that learns from the pixels that are easy for itself: half the time, its mistakes add up.

    Args:
        setup: see ``Setup``.
        loss: cross-entropy, generalised or symmetric.
        pool: batch, image or class: among which pixels the loss is ranked.
        ramp: share of the training over which dropping grows to the noise rate, [0, 1].
        warmup: share of the training that comes first when the noise rate is estimated, (0, 1).

    Source:
        The one-network baseline of Han et al., NeurIPS 2018 (self-paced small loss). Written from the paper.
    """
    return Selecting(setup, (0,), loss=loss, pool=pool, ramp=ramp, warmup=warmup)


def ema_teacher(
    setup: Setup,
    *,
    loss: str = "cross-entropy",
    decay: float = 0.99,
    teacher_weight: float = 0.5,
    ramp: float = 0.4,
    hard: bool = False,
) -> CoTraining:
    """One network whose running average corrects its labels; the average is what is kept.

    Target of a pixel: (1 - w) x label + w x teacher, w growing to ``teacher_weight``.

    Args:
        setup: see ``Setup``; its noise rate is not used.
        loss: of the label part: cross-entropy, generalised or symmetric.
        decay: of the average at each step, (0, 1); .99 for hundreds of steps, .999 for tens of thousands.
        teacher_weight: [0, 1]; 0 only averages, 1 forgets the labels.
        ramp: share of the training over which the teacher's part grows, [0, 1].
        hard: the teacher gives its best class instead of its distribution.

    Source:
        Tarvainen and Valpola, NIPS 2017 (the averaged teacher); Reed et al., ICLR 2015 workshop, equations
        2 and 3 (targets mixed with predictions). Written from the papers.
    """
    return EmaTeacher(setup, loss=loss, decay=decay, teacher_weight=teacher_weight, ramp=ramp, hard=hard)
