"""Files beside the output of a training run: checkpoint ``x.pth.part``, log, lock."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch

from wsstool.errors import BadInputError, BusyError, CannotWriteError
from wsstool.models.files.torch_file import load_safely, save_atomically


def part_path(output: Path) -> Path:
    return output.with_name(output.name + ".part")


def log_path(output: Path) -> Path:
    return output.with_name(output.name + ".log.jsonl")


@contextmanager
def only_writer(output: Path) -> Iterator[None]:
    """Lock an output for this process.

    Raises:
        BusyError: another process is writing it.
        CannotWriteError: the folder does not exist or is not writable, or the output is a folder, a device or
            a pipe: weights are written to a regular file, with a checkpoint and a log beside it.
    """
    if output.exists() and not output.is_file():
        raise CannotWriteError(
            f"cannot write {output}: it is not a regular file; name one for the weights with -o"
        )
    path = output.with_name(output.name + ".lock")
    if not path.parent.is_dir():  # the lock would create it
        raise CannotWriteError(f"cannot write {output}: no folder {path.parent}")
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise BusyError(f"another process is writing {output}") from error
    except OSError as error:
        raise CannotWriteError(f"cannot write {output}: {error.strerror or error}") from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while still locked, so that no other process's lock is removed
        lock.release()


def save_checkpoint(output: Path, identity: str, state: dict[str, Any]) -> None:
    """Write the state of a run; the previous checkpoint stays until the new one is complete.

    Raises:
        CannotWriteError: no space or no permission.
    """
    save_atomically({"identity": identity, "random": random_state(), **state}, part_path(output))


def load_checkpoint(output: Path, identity: str) -> tuple[dict[str, Any] | None, str]:
    """Return the state to resume from, or None and the reason for starting over ('' if there is no file)."""
    path = part_path(output)
    if not path.exists():
        return None, ""
    try:
        state = load_safely(path)
    except BadInputError:
        return None, f"{path} is damaged"
    if not isinstance(state, dict) or state.get("identity") != identity:
        return None, f"{path} belongs to a run with different data or options"
    return state, ""


def is_of_another_run(output: Path, identity: str) -> bool:
    """Return whether there is a checkpoint, readable and not of this run."""
    state, reason = load_checkpoint(output, identity)
    return state is None and "different" in reason


def random_state() -> dict[str, Any]:
    """Return the state of all generators of this process, as plain containers and tensors."""
    version, numbers, gauss = random.getstate()
    state: Any = np.random.get_state(legacy=True)
    kind, keys, position, has_gauss, cached = state
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [
            str(kind),
            np.asarray(keys, np.int64).tolist(),
            int(position),
            int(has_gauss),
            float(cached),
        ],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def write_log(output: Path, history: list[dict[str, Any]]) -> None:
    """Rewrite the log: one line of JSON per epoch, without epochs that will be repeated.

    Raises:
        CannotWriteError: no space or no permission.
    """
    text = "".join(json.dumps(entry) + "\n" for entry in history)
    try:
        if text:
            log_path(output).write_text(text, encoding="utf-8")
        else:
            log_path(output).unlink(missing_ok=True)
    except OSError as error:
        raise CannotWriteError(f"cannot write {log_path(output)}: {error.strerror or error}") from error
