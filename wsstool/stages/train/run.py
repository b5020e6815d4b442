"""Lifecycle of a training run: skip if up to date, resume, train, write weights with metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from wsstool import store
from wsstool.errors import CannotWriteError, WsstoolError
from wsstool.models.weights import load_weights, save_weights
from wsstool.runtime import pick_device
from wsstool.stages.checks import check_failed
from wsstool.stages.options.trainers.training import TrainerOptions
from wsstool.store.provenance import changed
from wsstool.training.checkpoint import is_of_another_run, only_writer, part_path
from wsstool.training.epoch_loader import EpochLoader
from wsstool.training.loop import FitResult, finish, fit
from wsstool.training.plan import Plan, Task
from wsstool.types import ClassList, Messages

ZIP = b"PK\x03\x04"
"""First bytes of weights files; a damaged file may be replaced."""


@dataclass(frozen=True)
class TrainedNetworks:
    """Result of a training: one network, or two trained jointly, and their description.

    Attributes:
        states: state dict of each network.
        arch: architecture of the networks.
        classes: the class list.
        class_ids: id of the class of each output.
        summary: what the command returns.
        described: further metadata for the weights file.
    """

    states: Sequence[Mapping[str, Tensor]]
    arch: str
    classes: ClassList
    class_ids: Sequence[int]
    summary: Mapping[str, Any]
    described: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingRun:
    """One run of a training command.

    Attributes:
        stage: the command.
        task: what the weights are for: classification, segmentation or contour.
        options: of the command, with automatic values resolved.
        params: the options that are part of the key, see ``Options.key_params``.
        inputs: the training data, for the key and the history.
        messages: receives progress and warnings.
    """

    stage: str
    task: str
    options: TrainerOptions
    params: Mapping[str, Any]
    inputs: Sequence[store.Input]
    messages: Messages

    @property
    def output(self) -> Path:
        """The weights file."""
        return Path(self.options.output)

    @cached_property
    def key(self) -> str:
        """Key of everything that the result depends on."""
        return store.key_of(self.stage, self.params, self.inputs)

    @cached_property
    def device(self) -> torch.device:
        """Device to compute on."""
        return pick_device(self.options.device)

    def result(self, train: Callable[[], TrainedNetworks]) -> dict[str, Any]:
        """Train and write the weights, unless an earlier run with this key did.

        Args:
            train: called while the output is held for this process.

        Returns:
            The result of the command: ``output``, ``key``, ``up_to_date`` and the summary.

        Raises:
            BusyError, CannotWriteError: the output is in use, not writable, or another kind of file.
            SomeFailedError: more images failed than allowed, now or in the earlier run.
        """
        with only_writer(self.output):
            if self.options.force:
                part_path(self.output).unlink(missing_ok=True)
                found = None
            else:
                found = up_to_date(self.output, self.key, self.params, self.messages, task=self.task)
            if found and not is_of_another_run(self.output, self.key):
                finish(self.output)  # a run that was killed after it had written the weights
            done = found or self._write(train())
        check_failed(done["failed"], self.options.max_failed)
        return done

    def fit(
        self,
        task: Task,
        images: Dataset[Any],
        *,
        select: str = "",
        drop_last: bool = False,
        batch_size: int | None = None,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> FitResult:
        """Train by gradient descent, resuming an interrupted run with the same key.

        Args:
            task: see ``training.loop.fit``.
            images: the training set, indexed by (epoch, item).
            select: score that selects the best epoch; empty: keep the last epoch.
            drop_last: leave out a last batch that is not full.
            batch_size: items per step; None: as the options say.
            collate: builds a batch from a list of items, see ``EpochLoader``.
        """
        options = self.options
        loader = EpochLoader(
            images,
            batch_size or options.batch_size,
            seed=options.seed,
            workers=options.workers,
            drop_last=drop_last,
            pin_memory=self.device.type == "cuda",
            collate=collate,
        )
        if loader.left_out and not drop_last:
            self.messages.say(
                "each epoch leaves out one image, a different one each time, because a last batch of "
                "one image cannot be normalised"
            )
        named = {one.name: getattr(options, one.name) for one in fields(Plan) if hasattr(options, one.name)}
        return fit(
            task,
            loader,
            Plan(**named, select=select),
            output=self.output,
            identity=self.key,
            device=self.device,
            messages=self.messages,
        )

    def _write(self, trained: TrainedNetworks) -> dict[str, Any]:
        """Write the weights file and remove the checkpoint; return the result of the command."""
        summary = {k: v for k, v in trained.summary.items() if k != "seconds"}  # equal runs, equal bytes
        meta = {
            "arch": trained.arch,
            "task": self.task,
            **class_fields(trained.classes, trained.class_ids),
            **trained.described,
            "key": self.key,
            "params": {k: str(v) if isinstance(v, Path) else v for k, v in self.params.items()},
            "summary": summary,
            "provenance": store.history(self.stage, self.params, self.inputs),
        }
        save_weights(self.output, trained.states[0], meta, *trained.states[1:])
        finish(self.output)
        return {"output": str(self.output), "key": self.key, "up_to_date": False, **summary}


def class_fields(classes: ClassList, class_ids: Sequence[int]) -> dict[str, Any]:
    """Return the metadata of the classes for a weights file.

    Example:
        >>> class_fields(ClassList(("background", "cat"), 0), [1])
        {'classes': ['background', 'cat'], 'class_ids': [1], 'background': 0, 'palette': []}
    """
    return {
        "classes": list(classes.names),
        "class_ids": list(class_ids),
        "background": classes.background,
        "palette": [list(colour) for colour in classes.palette],
    }


def up_to_date(
    output: Path, key: str, params: Mapping[str, Any], messages: Messages, *, task: str
) -> dict[str, Any] | None:
    """Return the summary of the run that wrote ``output`` if its key matches; else print the difference.

    Raises:
        CannotWriteError: ``output`` is another kind of file, or holds weights of other options, which must
            not be replaced by accident.
    """
    if not output.exists() or output.stat().st_size == 0:
        return None
    try:
        meta = load_weights(output).meta
    except WsstoolError as error:
        with open(output, "rb") as file:
            if not file.read(4).startswith(ZIP):
                raise CannotWriteError(
                    f"'{output}' exists and is not a weights file; remove it first, or use --force"
                ) from None
        messages.say(f"retraining: {error}")
        return None
    if meta.get("task", task) != task:
        raise CannotWriteError(
            f"'{output}' contains weights for {meta['task']}, not for {task}; remove it first, or use --force"
        )
    if meta.get("key") == key:
        messages.say(f"up to date (key {key})")
        output.touch()  # for make
        return {"output": str(output), "key": key, "up_to_date": True, **meta.get("summary", {"failed": 0})}
    if difference := changed(meta.get("params", {}), params):
        raise CannotWriteError(
            f"'{output}' contains finished weights of other options ({difference}); --force trains again, "
            "another name keeps both"
        )
    messages.say("retraining: the data or the initial weights changed")
    return None
