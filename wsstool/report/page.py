"""Contents of a report: plain values, filled in by the stage and laid out by the HTML writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ScoreRow:
    """The scores of one set of masks; fractions, None for missing values.

    Args:
        name: what was scored.
        miou: mean intersection over union.
        interval: lower and upper end of its confidence interval.
        blind: score of the blind baseline, and ``blind_rule`` its rule.
        details: further scores by column title, in order.
        iou: one per class.
        is_twin: whether this is the fully supervised reference.
    """

    name: str
    miou: float | None
    interval: tuple[float, float] | None = None
    blind: float | None = None
    blind_rule: str = ""
    details: dict[str, float | None] = field(default_factory=dict)
    iou: Sequence[float | None] = ()
    is_twin: bool = False


@dataclass(frozen=True)
class Panel:
    """One image of a sample: a caption and the bytes of a JPEG file."""

    caption: str
    jpeg: bytes


@dataclass(frozen=True)
class Sample:
    """One image of the dataset with its panels; ``note`` is a score or a reason."""

    name: str
    note: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Gallery:
    """Samples under one heading, such as the worst images; ``legend`` names the colours in them."""

    title: str
    note: str
    samples: Sequence[Sample]
    legend: Sequence[tuple[str, Colour]] = ()


@dataclass(frozen=True)
class Ranking:
    """A whole list, worst first, of which the galleries show a part; folded at first.

    Args:
        title: heading, which says what is listed and how many.
        columns: titles of the columns.
        rows: one cell per column: a text, or a fraction (None: unknown).
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]


@dataclass(frozen=True)
class Curves:
    """The charts of one training log or of scores under corruption.

    Args:
        title: heading.
        charts: titles and SVG elements.
        note: what the charts show.
        legend: names of the series, in the order of their colours.
    """

    title: str
    charts: Sequence[tuple[str, str]]
    note: str = ""
    legend: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """A whole report.

    Args:
        title: heading and window title.
        facts: label and value pairs under the heading.
        classes: name and colour of each class; ``shares`` is its share of the ground-truth pixels.
        background: class id or -1.
        rows: one per set of masks.
        definition: the sentence that defines mIoU.
        confusions: (score row, true class, predicted class, share of the true class's pixels).
        galleries: image galleries.
        rankings: whole lists, worst first.
        curves: one per training log, and one per metric of scores under corruption.
        provenance: (file, commands that made it, oldest first).
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    classes: Sequence[tuple[str, Colour]] = ()
    shares: Sequence[float] = ()
    background: int = -1
    rows: Sequence[ScoreRow] = ()
    definition: str = ""
    confusions: Sequence[tuple[str, str, str, float]] = ()
    galleries: Sequence[Gallery] = ()
    rankings: Sequence[Ranking] = ()
    curves: Sequence[Curves] = ()
    provenance: Sequence[tuple[str, Sequence[str]]] = ()
