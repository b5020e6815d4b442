"""Train networks on small-loss pixels only, selected by themselves or by each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.training.cotraining.noise_rate import ConfidentJoint
from wsstool.training.cotraining.segmentation_task import Batch, CoTraining, Setup, one_of
from wsstool.training.cotraining.small_loss import POOLS, keep_share, small_loss_pixels
from wsstool.training.drop_report import WARN_ABOVE, DropReport
from wsstool.training.losses.segmentation import layered_mean
from wsstool.training.plan import Progress
from wsstool.types import IGNORE


class Selecting(CoTraining):
    """Small-loss selection: each network learns from pixels of small loss for its judge (itself or its peer).

    Args:
        setup: see ``Setup``.
        judges: for each network, the index of the network that selects its pixels.
        loss: as in ``CoTraining``.
        pool: as in ``small_loss_pixels``.
        ramp: share of the training over which the dropped share grows to the full noise rate.
        warmup: share of the training before that; used if the noise rate is estimated, else 0.
    """

    def __init__(
        self, setup: Setup, judges: Sequence[int], *, loss: str, pool: str, ramp: float, warmup: float
    ) -> None:
        one_of("pool", pool, POOLS)
        if setup.noise_rate is not None and not 0 <= setup.noise_rate < 1:
            raise UsageError(f"noise rate {setup.noise_rate} is not in [0, 1)")
        super().__init__(setup, len(judges), loss)
        self.judges, self.pool, self.ramp = tuple(judges), pool, ramp
        self.warmup = warmup if setup.noise_rate is None else 0.0
        self.joint = ConfidentJoint(len(setup.class_names))
        self.report = DropReport(len(setup.class_names))
        self.main_layer = setup.main_layer
        self._said: set[str] = set()

    def modules(self) -> dict[str, nn.Module]:
        return {**super().modules(), "joint": self.joint, "report": self.report}

    @property
    def noise_rate(self) -> float:
        """The given share of wrong labels, or the current estimate."""
        return self.joint.estimate() if self.setup.noise_rate is None else self.setup.noise_rate

    def loss(self, batch: Batch, progress: Progress) -> dict[str, Any]:
        x, labels = self.prepared(batch)
        logits = [network(x) for network in self.networks]
        losses = [self.losses(one, labels) for one in logits]
        valid = labels != IGNORE  # (B,L,H,W)
        main, counted = labels[:, self.main_layer], valid.any(dim=1)
        done = progress.done
        if self.warmup / 2 <= done < self.warmup:  # before, the networks know too little for an estimate
            final = [self.setup.form.final(one.detach()).float() for one in logits]
            probs = torch.stack([one.softmax(dim=1) for one in final]).mean(dim=0)
            self.joint.update(probs, main, valid[:, self.main_layer])
        rate = self.noise_rate
        share = keep_share(done - self.warmup, noise_rate=rate, ramp_steps=self.ramp)
        if self.setup.noise_rate is None and done >= self.warmup:
            self._once("rate", f"estimated noise rate: {rate:.3f} of the labelled pixels")
        easy = [self._easy(one.detach(), main, counted, share) for one in losses]  # (B,H,W) each
        total = losses[0].new_zeros(())
        for network, judge in enumerate(self.judges):
            kept = valid & easy[judge][:, None]
            total = total + layered_mean(losses[network], kept, self.setup.layer_weights)
        self.report.update(main, valid[:, self.main_layer], easy[self.judges[0]])
        return {"loss": total, "kept": share}

    def _easy(
        self, losses: torch.Tensor, main: torch.Tensor, counted: torch.Tensor, share: float
    ) -> torch.Tensor:
        weights = losses.new_tensor(list(self.setup.layer_weights))[:, None, None]
        return small_loss_pixels((weights * losses).sum(dim=1), main, counted, share, pool=self.pool)

    def end_epoch(self, progress: Progress) -> dict[str, Any]:
        """Return the share of pixels dropped in this epoch, and warn if it is too large."""
        figures = self.report.take(self.setup.class_names, background=self.setup.background)
        foreground = figures.get("dropped_foreground", 0.0)
        if foreground > WARN_ABOVE:
            self.setup.messages.warn(
                f"{foreground:.0%} of the pixels labelled foreground were dropped in this epoch (noise rate "
                f"{self.noise_rate:.3f}); a lower --noise-rate may work better"
            )
        return {**figures, "noise_rate": self.noise_rate}

    def _once(self, key: str, text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self.setup.messages.say(text)
