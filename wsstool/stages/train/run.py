"""A training run and the weights file that it writes: whether it is there already, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool import store
from wsstool.errors import CannotWriteError, WsstoolError
from wsstool.models.weights import load_weights, save_weights
from wsstool.stages.checks import check_failed
from wsstool.store.provenance import changed
from wsstool.training.checkpoint import only_writer, part_path
from wsstool.training.loop import finish
from wsstool.types import ClassList, Messages

ZIP = b"PK\x03\x04"
"""How weights files begin; a damaged one may be replaced."""


@dataclass(frozen=True)
class TrainingRun:
    """One run of a training command.

    Attributes:
        stage: the command.
        task: what the weights are for: classification, segmentation or contour.
        output: the weights file.
        params: the options that count, those that are None left out.
        inputs: what is learned from.
        key: of all that decides about the result.
    """

    stage: str
    task: str
    output: Path
    params: dict[str, Any]
    inputs: list[store.Input]
    key: str

    @classmethod
    def of(
        cls, stage: str, task: str, output: Path, params: Mapping[str, Any], inputs: Sequence[store.Input]
    ) -> TrainingRun:
        """The run of these options, given as they are, on these inputs."""
        kept = {k: str(v) if isinstance(v, Path) else v for k, v in params.items() if v is not None}
        return cls(stage, task, output, kept, list(inputs), store.key_of(stage, kept, inputs))

    @contextmanager
    def held(self, *, force: bool, max_failed: int, messages: Messages) -> Iterator[dict[str, Any] | None]:
        """Hold the output for this process; gives what an earlier run returned, if it is this very one.

        Args:
            force: there is no earlier run, neither a finished nor an interrupted one.
            max_failed: see ``check_failed``, which the earlier run is subject to as well.
            messages: told that there is nothing to do, or what differs.

        Raises:
            BusyError, CannotWriteError: the output is taken, or not writable, or something else.
            SomeFailedError: more images had failed.
        """
        with only_writer(self.output):
            if force:
                part_path(self.output).unlink(missing_ok=True)
                yield None
                return
            found = up_to_date(self.output, self.key, self.params, messages, task=self.task)
            if found:
                check_failed(found["failed"], max_failed)
            yield found

    def write(
        self,
        states: Sequence[Mapping[str, Tensor]],
        arch: str,
        classes: ClassList,
        class_ids: Sequence[int],
        summary: Mapping[str, Any],
        **described: Any,
    ) -> dict[str, Any]:
        """Write the weights file and remove the checkpoint of the run.

        Args:
            states: of one network, or of two that were trained together.
            arch: what they are the states of.
            classes: the class list.
            class_ids: id of the class of each output.
            summary: what the command answers; ``seconds`` is left out, since equal runs give equal bytes.
            described: what else the file says of the network.

        Returns:
            The answer of the command: ``output``, ``key``, ``up_to_date`` and the summary.

        Raises:
            CannotWriteError, WsstoolError: see ``save_weights``.
        """
        summary = {k: v for k, v in summary.items() if k != "seconds"}
        meta = {
            "arch": arch,
            "task": self.task,
            **class_fields(classes, class_ids),
            **described,
            "key": self.key,
            "params": self.params,
            "summary": summary,
            "provenance": store.history(self.stage, self.params, self.inputs),
        }
        save_weights(self.output, states[0], meta, states[1] if len(states) > 1 else None)
        finish(self.output)
        return {"output": str(self.output), "key": self.key, "up_to_date": False, **summary}


def class_fields(classes: ClassList, class_ids: Sequence[int]) -> dict[str, Any]:
    """What weights say of their classes.

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
    """The summary of the run that wrote ``output`` if it is the one asked for; else says what differs.

    Raises:
        CannotWriteError: ``output`` is something else, which must not be replaced by accident.
    """
    if not output.exists() or output.stat().st_size == 0:
        return None
    try:
        meta = load_weights(output).meta
    except WsstoolError as error:
        with open(output, "rb") as file:
            if not file.read(4).startswith(ZIP):
                raise CannotWriteError(
                    f"'{output}' exists and is no weights file; remove it first, or use --force"
                ) from None
        messages.say(f"training again: {error}")
        return None
    if meta.get("task", task) != task:
        raise CannotWriteError(
            f"'{output}' holds weights for {meta['task']}, not for {task}; remove it first, or use --force"
        )
    if meta.get("key") == key:
        messages.say(f"up to date (key {key})")
        output.touch()  # for make
        return {"output": str(output), "key": key, "up_to_date": True, **meta.get("summary", {"failed": 0})}
    difference = changed(meta.get("params", {}), params) or "the data or the start weights differ"
    messages.say(f"training again: {difference}")
    return None
