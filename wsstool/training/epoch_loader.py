"""Batches that depend only on seed, epoch and position, not on workers or interruptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from wsstool.errors import UsageError, WsstoolError

Key = tuple[int, int]
"""Index of a training dataset: (epoch, item)."""


class _Plan(Sampler[list[Key]]):
    """The keys of every batch of one epoch from a given position on; set before each pass."""

    def __init__(self, loader: EpochLoader) -> None:
        self.loader = loader
        self.epoch = 0
        self.start = 0

    def __iter__(self) -> Iterator[list[Key]]:
        order = self.loader.order(self.epoch)
        size = self.loader.batch_size
        for number in range(self.start, len(self.loader)):
            yield [(self.epoch, int(i)) for i in order[number * size : (number + 1) * size]]


class EpochLoader:
    """Shuffled batches of a dataset, the same for any number of workers and after any interruption.

    The dataset is indexed by ``(epoch, item)`` and draws every random choice of an item from
    ``item_generator(seed, epoch, item)``.

    Args:
        dataset: has ``__len__`` and ``__getitem__((epoch, item))``.
        batch_size: items per batch; the last batch is dropped if it would contain a single item, which batch
            normalisation cannot handle, or with ``drop_last`` if it is incomplete.
        seed: of the order.
        workers: loader processes; 0 loads in this one.
        drop_last: drop an incomplete last batch, if there is at least one complete batch.
        collate: builds a batch from a list of items; torch's usual stacking by default.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int,
        *,
        seed: int = 0,
        workers: int = 0,
        drop_last: bool = False,
        pin_memory: bool = False,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        n = len(dataset)  # type: ignore[arg-type]
        if n == 0:
            raise UsageError("there is nothing to train on")
        if batch_size < 1:
            raise UsageError("the batch size must be at least 1")
        self.batch_size = min(batch_size, n)
        self.seed = seed
        self.n = n
        full, rest = divmod(n, self.batch_size)
        keeps_rest = rest > 1 or (rest == 1 and self.batch_size == 1)
        self._length = full if drop_last or not keeps_rest else full + 1
        self._plan = _Plan(self)
        self._loader = DataLoader(
            dataset,
            batch_sampler=self._plan,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            collate_fn=collate,
            generator=torch.Generator().manual_seed(
                seed
            ),  # otherwise every pass would draw from the global generator
        )

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._length

    @property
    def left_out(self) -> int:
        """Number of items that an epoch leaves out."""
        return max(0, self.n - self._length * self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """Return the items in the order of an epoch: (N,) int64."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.n)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """Yield the batches of an epoch from number ``start`` on."""
        self._plan.epoch, self._plan.start = epoch, start
        return without_traceback(iter(self._loader))


def without_traceback(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield the batches; the errors of workers come as they were raised, without their place in the worker.

    torch raises them again with the whole traceback of the worker in the message.
    """
    try:
        yield from batches
    except WsstoolError as error:
        text = str(error)
        if "Original Traceback" not in text:
            raise
        raise type(error)(text.strip().splitlines()[-1].partition(": ")[2]) from None


def item_generator(seed: int, epoch: int, item: int) -> np.random.Generator:
    """Return the generator for all random choices about one item in one epoch."""
    return np.random.default_rng([seed, epoch, item, 1])


def to_device(batch: Any, device: torch.device) -> Any:
    """Move a batch of nested tuples, lists and dicts of tensors to a device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(to_device(value, device) for value in batch)
    return batch


def tensors_of(batch: Any) -> Iterable[Tensor]:
    """Yield every tensor inside nested tuples, lists and dicts."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, dict):
        for value in batch.values():
            yield from tensors_of(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from tensors_of(value)
