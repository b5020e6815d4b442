"""The contract of everything that ``eval`` can score: label maps, detections, proposals, masks of boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

from wsstool import store
from wsstool.errors import BadInputError
from wsstool.stages.options.metrics import METRICS
from wsstool.stages.options.scoring import EvalOptions
from wsstool.types import Messages


class Counts(Protocol):
    """What was measured in each image: all that the scores need, in memory and in a score file."""

    images: list[str]  #: names of the images that were scored
    root: Path | None  #: data folder that they came from, where it is known

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values for a score file; the summary of these counts may stand among them."""

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> Self:
        """Read what ``content`` gave.

        Raises:
            KeyError, TypeError, ValueError, IndexError, AttributeError: it is not of this form.
        """

    def join(self, other: Self) -> None:
        """Add the counts of other images.

        Raises:
            ValueError: they do not belong together; completes "'FILE' ... 'FIRST FILE'".
        """


def check_same_images(names: tuple[str, str], images: Sequence[str], others: Sequence[str]) -> None:
    """Raise BadInputError unless two methods were scored on the same images, in any order.

    Args:
        names: of the other method and of this one.
        images, others: names of the images of the one and the other.
    """
    if odd := sorted(set(images) ^ set(others)):
        raise BadInputError(f"'{names[0]}' and '{names[1]}' score different images (such as '{odd[0]}')")


class Source(NamedTuple):
    """What is scored: a path (None or ``-``: standard input), and its reader if it is a record file."""

    path: object
    reader: store.Reader | None = None

    @property
    def records(self) -> store.Reader:
        """The reader, where only record files are scored."""
        if self.reader is None:
            raise BadInputError(f"'{self.path}' is not a record file")
        return self.reader


class Table(NamedTuple):
    """Rows of cells under a header, for a terminal."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


C = TypeVar("C", bound=Counts)


@dataclass(frozen=True)
class Scorer(Generic[C]):
    """How one kind of prediction is scored.

    Args:
        name: what is scored, as messages call it; a key of ``METRICS``.
        kinds: payloads of record files, and values of ``kind`` in summaries and score files.
        options: the options of ``eval`` that only some scorers take, and this one does.
        counts: class of its counts.
        measure: one pass over the images.
        summarise: all scores as plain values, of counts measured here or joined from score files. Takes
            ``groups`` (image -> group of images that are resampled together) and ``against`` (counts of
            another method) by name if ``options`` has ``group`` and ``against``.
        values: a metric of a summary, by what it is the metric of (empty: of everything).
        columns: tables and lines of text that show a summary.
        warnings: what the user should know about the counts beside their summary.
    """

    name: str
    kinds: tuple[str, ...]
    options: frozenset[str]
    counts: type[C]
    measure: Callable[[Source, EvalOptions, Messages], C]
    summarise: Callable[..., dict[str, Any]]
    values: Callable[[dict[str, Any], str], dict[str, float | None]]
    columns: Callable[[dict[str, Any]], list[Table | str]]
    warnings: Callable[[C, EvalOptions, dict[str, Any]], list[str]]

    @property
    def metrics(self) -> Mapping[str, str]:
        """Name -> definition of each metric that ``--fail-under`` can require; the first is the default."""
        return METRICS[self.name]
