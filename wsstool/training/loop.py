"""The training loop: any task, resumable at any step with an identical result."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsstool.errors import UsageError, WsstoolError
from wsstool.runtime import autocast, seed_everything
from wsstool.training import checkpoint
from wsstool.training.ema import Ema, States, restore, snapshot
from wsstool.training.epoch_loader import EpochLoader, tensors_of, to_device
from wsstool.training.plan import Plan, Progress, Task, build_optimizer
from wsstool.training.schedules import rate_factor
from wsstool.types import SILENT, Messages

__all__ = ["FitResult", "Plan", "Progress", "Task", "finish", "fit"]


@dataclass
class FitResult:
    """Result of a training run.

    Attributes:
        states: module name -> state dict on the CPU: averaged and selected according to the plan; the task's
            modules have the same weights.
        history: one dict per epoch: epoch, step, lr, seconds, the averaged losses, the scores.
        best_epoch: the epoch of ``states``, from 0.
        resumed_from: the step that an earlier run had reached, 0 for none.
    """

    states: States
    history: list[dict[str, Any]]
    best_epoch: int
    resumed_from: int

    @property
    def figures(self) -> dict[str, Any]:
        """Those of the epoch that is kept."""
        return self.history[self.best_epoch]


@dataclass
class _Position:
    """The position of the run, and the sums of the unfinished epoch."""

    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = -1
    best_score: float = -math.inf


def fit(
    task: Task,
    loader: EpochLoader,
    plan: Plan,
    *,
    output: Path | str | None = None,
    identity: str = "",
    device: torch.device | str = "cpu",
    messages: Messages = SILENT,
) -> FitResult:
    """Train a task.

    With ``output`` the state is saved to ``OUTPUT.part`` after every epoch and every few minutes, the log to
    ``OUTPUT.log.jsonl``. A run that finds a ``.part`` of the same ``identity`` resumes from there and ends
    with the weights of an uninterrupted run (bit for bit on a CPU with the same number of threads). The
    caller writes the output itself, then calls ``finish(output)``, all inside ``only_writer(output)``.

    Args:
        task: modules, parameter groups and loss.
        loader: the batches.
        plan: epochs, learning rates and further settings.
        output: the output file of the run; None writes no files.
        identity: a hash of everything that determines the result; other checkpoints are not resumed.
        device: where to compute.
        messages: receives the metrics of each epoch.

    Raises:
        WsstoolError: the loss or a gradient is NaN or infinite; names the step and the likely cause.
        UsageError: unknown optimiser, schedule or selection score.
        CannotWriteError: the checkpoint cannot be written; the previous one stays.
    """
    device = torch.device(device)
    output = None if output is None else Path(output)
    run = _Run(task, loader, plan, device)
    seed_everything(plan.seed)
    resumed = 0
    if output is not None:
        state, reason = checkpoint.load_checkpoint(output, identity)
        if reason:
            messages.say(f"{reason}; starting over")
        if state is not None:
            run.load_state(state)
            resumed = run.progress.step
            messages.say(f"resuming at epoch {run.at.epoch + 1}, step {resumed} of {run.steps}")
        checkpoint.write_log(output, run.at.history)

    def save() -> None:
        if output is not None:
            checkpoint.save_checkpoint(output, identity, run.state())

    with messages.track(run.steps, "training") as advance:
        advance(resumed)
        last_saved = time.monotonic()
        while run.at.epoch < plan.all_epochs:
            for _ in run.epoch_steps():
                advance()
                if time.monotonic() - last_saved > 60 * plan.checkpoint_minutes and run.at.batch < len(
                    loader
                ):
                    save()
                    last_saved = time.monotonic()
            figures = run.end_epoch()
            messages.say(_sentence(figures, plan.all_epochs))
            if output is not None:
                checkpoint.write_log(output, run.at.history)
            save()
            last_saved = time.monotonic()
    restore(run.modules, run.best)
    states = {n: {k: v.cpu() for k, v in s.items()} for n, s in run.best.items()}
    return FitResult(states, run.at.history, run.at.best_epoch, resumed)


def finish(output: Path | str) -> None:
    """Remove the checkpoint of a run whose output has been written; the log stays."""
    checkpoint.part_path(Path(output)).unlink(missing_ok=True)


DIVERGED = 1e4
"""A loss above this multiple of the first one counts as divergence."""


class _Run:
    """The mutable state of one training run."""

    def __init__(self, task: Task, loader: EpochLoader, plan: Plan, device: torch.device) -> None:
        if plan.epochs < 1:
            raise UsageError("there must be at least one epoch")
        if plan.min_lr > plan.lr:
            raise UsageError(f"the last learning rate, {plan.min_lr:g}, is above the first, {plan.lr:g}")
        self.task, self.loader, self.plan, self.device = task, loader, plan, device
        self.first_loss = 0.0  # 0 after an interruption: then only the absolute bound applies
        self.modules = dict(task.modules())
        for module in self.modules.values():
            # channels-last convolutions take a third less time on CPUs, and suit tensor cores
            module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        groups = [dict(group, params=list(group["params"])) for group in task.parameter_groups()]
        groups = [group for group in groups if group["params"]]
        self.scales = [group.pop("lr_scale", 1.0) for group in groups]
        self.parameters = [p for group in groups for p in group["params"]]
        self.optimizer = build_optimizer(plan, groups)
        self.ema = Ema(self.modules, plan.ema) if plan.ema else None
        self.best: States = {}
        self.steps = plan.all_epochs * len(loader)
        self.at = _Position()
        self.last_loss = math.nan
        rate_factor(plan.schedule, 0, self.steps)

    @property
    def progress(self) -> Progress:
        step = self.at.epoch * len(self.loader) + self.at.batch
        return Progress(self.at.epoch, self.plan.all_epochs, step, self.steps)

    def epoch_steps(self) -> Iterator[None]:
        """Run the remaining steps of this epoch; yields after each."""
        for module in self.modules.values():
            module.train()
        started = time.monotonic()
        before = self.at.seconds
        for batch in self.loader.batches(self.at.epoch, self.at.batch):
            self._step(to_device(batch, self.device))
            self.at.batch += 1
            self.at.seconds = before + time.monotonic() - started
            yield

    def _step(self, batch: Any) -> None:
        progress = self.progress
        factor = self._rate_factor(progress.step)
        for group, scale in zip(self.optimizer.param_groups, self.scales, strict=True):
            group["lr"] = self.plan.lr * scale * factor
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.plan.amp):
            terms = self.task.loss(batch, progress)
        loss = terms["loss"]
        value = float(loss.detach())
        if self.progress.step == 0:
            self.first_loss = value
        if not math.isfinite(value) or value > DIVERGED * max(1.0, self.first_loss):
            raise WsstoolError(self._diagnosis("loss", value, batch))
        if loss.requires_grad:  # a batch without any usable label has no gradient
            loss.backward()
            norm = float(nn.utils.clip_grad_norm_(self.parameters, self.plan.clip or math.inf))
            if not math.isfinite(norm):
                raise WsstoolError(self._diagnosis("gradient", norm, batch))
            self.optimizer.step()
        if hasattr(self.task, "after_step"):
            self.task.after_step(progress)
        if self.ema:
            self.ema.update()
        self.last_loss = value
        for name, term in terms.items():
            self.at.sums[name] = self.at.sums.get(name, 0.0) + float(
                term.detach() if isinstance(term, torch.Tensor) else term
            )

    def _rate_factor(self, step: int) -> float:
        plan, per_epoch = self.plan, len(self.loader)
        return rate_factor(
            plan.schedule,
            step,
            plan.epochs * per_epoch,
            round(plan.warmup_epochs * per_epoch),
            warmup_start=plan.warmup_start,
            fall_every=plan.fall_epochs * per_epoch,
            least=plan.min_lr / plan.lr if plan.lr else 0.0,
        )

    def _diagnosis(self, what: str, value: float, batch: Any) -> str:
        """Return one sentence: the step, and the most common cause."""
        where = (
            f"{what} is {value} at epoch {self.at.epoch + 1}, step {self.progress.step + 1} of {self.steps}"
        )
        if any(not bool(torch.isfinite(t).all()) for t in tensors_of(batch) if t.is_floating_point()):
            return f"{where}: the batch itself contains NaN or infinite values; check the images and labels"
        if self.progress.step == 0:
            return f"{where}, the very first step; the initial weights or the labels are probably damaged"
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        return (
            f"{where}, after {self.last_loss:.4g} in the previous step; the learning rate ({rate:.3g}) is "
            "probably too high: lower it, clip the gradients or add warm-up"
        )

    def end_epoch(self) -> dict[str, Any]:
        """Validate, keep the best, record the metrics, move to the next epoch."""
        progress = self.progress
        factor = self._rate_factor(progress.step - 1)
        figures: dict[str, Any] = {
            "epoch": self.at.epoch + 1,
            "step": progress.step,
            "lr": self.plan.lr * factor,
            "seconds": round(self.at.seconds, 2),
            **{name: total / max(1, self.at.batch) for name, total in self.at.sums.items()},
        }
        if hasattr(self.task, "end_epoch"):
            figures |= self.task.end_epoch(progress)
        with self.ema.applied() if self.ema else contextlib.nullcontext():
            if hasattr(self.task, "validate"):
                for module in self.modules.values():
                    module.eval()
                with torch.no_grad():
                    figures |= self.task.validate()
            self._keep_best(figures)
        self.at.history.append(figures)
        self.at.epoch, self.at.batch, self.at.seconds, self.at.sums = self.at.epoch + 1, 0, 0.0, {}
        return figures

    def _keep_best(self, figures: dict[str, Any]) -> None:
        """Keep the weights of this epoch if its score is above that of every epoch before."""
        score = float(self.at.epoch)
        if self.plan.select:
            if self.plan.select not in figures:
                raise UsageError(f"validation returns no '{self.plan.select}' to select the best epoch by")
            score = float(figures[self.plan.select])
        if score > self.at.best_score or self.at.best_epoch < 0:
            self.best = snapshot(self.modules)
            self.at.best_epoch, self.at.best_score = self.at.epoch, score

    def state(self) -> dict[str, Any]:
        """Return everything that a later process needs to resume exactly here."""
        return {
            "modules": snapshot(self.modules),
            "optimizer": self.optimizer.state_dict(),
            "ema": {"average": self.ema.average, "updates": self.ema.updates} if self.ema else {},
            "best": self.best,
            "position": vars(self.at),
            "last_loss": self.last_loss,
            "task": self.task.state() if hasattr(self.task, "state") else {},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume where ``state`` was taken."""
        restore(self.modules, state["modules"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema:
            self.ema.average = to_device(state["ema"]["average"], self.device)
            self.ema.updates = state["ema"]["updates"]
        self.best = to_device(state["best"], self.device)
        self.at = _Position(**state["position"])
        self.last_loss = state["last_loss"]
        if hasattr(self.task, "load_state"):
            self.task.load_state(state["task"])
        checkpoint.restore_random_state(state["random"])


def _sentence(figures: dict[str, Any], epochs: int) -> str:
    shown = [
        f"{k} {v:.4g}" for k, v in figures.items() if isinstance(v, float) and k not in ("lr", "seconds")
    ]
    return f"epoch {figures['epoch']}/{epochs}: {', '.join(shown)} ({figures['seconds']:.0f} s)"
