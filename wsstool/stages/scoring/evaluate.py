"""``eval``: score predictions against ground truth, or merge score files."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from wsstool.data.groups import read_groups
from wsstool.errors import BadInputError, UsageError
from wsstool.options import idle_options, spelled, takes
from wsstool.stages.detections.files import is_foreign
from wsstool.stages.options.scoring import EvalOptions
from wsstool.stages.options.several import as_source
from wsstool.stages.scoring.detections import DETECTIONS
from wsstool.stages.scoring.fail_under import Requirement
from wsstool.stages.scoring.instances import INSTANCES
from wsstool.stages.scoring.label_maps import LABEL_MAPS
from wsstool.stages.scoring.object_maps.scores import OBJECT_MAPS
from wsstool.stages.scoring.predictions import open_scored
from wsstool.stages.scoring.proposals import PROPOSALS
from wsstool.stages.scoring.score_file import (
    is_score_file,
    join_counts,
    kind_of,
    load,
    not_a_score_file,
    read_counts,
    write_counts,
)
from wsstool.stages.scoring.scorer import Counts, Scorer, Source, Table
from wsstool.stages.scoring.sentences.scores import SENTENCES
from wsstool.types import SILENT, Messages, RecordFiles

SCORERS: dict[str, Scorer[Any]] = {
    kind: scorer
    for scorer in (LABEL_MAPS, PROPOSALS, INSTANCES, OBJECT_MAPS, DETECTIONS, SENTENCES)
    for kind in scorer.kinds
}
SPECIFIC = frozenset[str]().union(*(scorer.options for scorer in SCORERS.values()))
MEASURING = (
    *("split", "of", "sweep", "boundary", "boundary_of", "boundary_ratio"),
    *("expressions", "shuffled"),
)
"""Options that say what is measured: score files come too late for them."""
_OF_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "class maps": (("cam",), ("normalise", "background_threshold", "background")),
    "label maps or class maps": (
        LABEL_MAPS.kinds,
        ("classes_with_truth", "ignore_class", "ignored_prediction"),
    ),
    "ground-truth masks": (("mask", "cam", "folder"), ("class_list",)),
    "masks of boxes": ((*INSTANCES.kinds, *OBJECT_MAPS.kinds), ("min_area",)),
    "label maps, class maps, masks of boxes or masks of sentences": (
        (*LABEL_MAPS.kinds, *INSTANCES.kinds, *SENTENCES.kinds),
        ("bootstrap", "seed"),
    ),
}
"""What is scored -> its kinds of source, and the options that do nothing for all others."""


@takes(EvalOptions)
def evaluate(options: EvalOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Score one source, or several score files as one.

    Args:
        options: see ``wsstool eval --help``. ``sources`` is one path or a list: a ``mask``, ``cam``, ``box``,
            ``proposal``, ``contour`` or ``selection`` file, a folder of masks, detections in a foreign
            format, or score files; None or ``-``: standard input. Of files with sentences, every sentence is
            scored.
        messages: where progress and warnings go.

    Returns:
        The summary of what was scored: ``source``, ``kind``, ``images``, ``definition``, and the scores, in
        ``rows`` or for detections in ``scores`` and ``classes``.

    Raises:
        BelowThresholdError: a value is below ``fail_under``; its ``summary`` is what would be returned.
        BadInputError: predictions and ground truth do not fit each other, or damaged input.
        MissingInputError: there is no input, or no ground truth.
        UsageError: options that do not fit the input.
    """
    required = Requirement.of(options.fail_under) if options.fail_under is not None else None
    given = as_source(options.sources)
    sources: list[object] = [*given.paths] if isinstance(given, RecordFiles) else [given]
    if is_joined := not is_foreign(sources[0]) and all(map(is_score_file, sources)):
        paths = [str(one) for one in sources]
        scorer, contents = _load_alike(paths)
        kind = "scores" if scorer is LABEL_MAPS else scorer.kinds[0]
    else:
        scorer, source = _open(sources)
        kind = scorer.kinds[0]
        if scorer is LABEL_MAPS:
            kind = source.reader.header.payload if source.reader else "folder"
    _refuse(scorer, options, is_joined)
    for text in _idle(kind, options):
        messages.warn(text)
    required = required and required.of_scorer(scorer)
    if is_joined:
        counts = join_counts(paths, contents, scorer.counts)
    else:
        with source.reader or nullcontext():
            counts = scorer.measure(source, options, messages)
    summary = scorer.summarise(counts, options, **_beside(scorer, counts, options))
    for text in scorer.warnings(counts, options, summary):
        messages.warn(text)
    if options.output is not None:
        write_counts(options.output, counts, summary)
    if required is not None:
        required.check(scorer, summary)
    return summary


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return the tables and lines of text that show a summary of ``evaluate`` on a terminal."""
    return SCORERS[summary["kind"]].columns(summary)


def _open(sources: list[object]) -> tuple[Scorer[Any], Source]:
    """Open the one source that is not a score file."""
    if len(sources) > 1 and any(is_foreign(one) or Path(str(one)).is_dir() for one in sources):
        raise UsageError("eval reads one source, the record files of all shards of one run, or score files")
    source = sources[0] if len(sources) == 1 else RecordFiles(map(str, sources))
    if is_foreign(source):
        return DETECTIONS, Source(source)
    reader = open_scored(source)
    if reader is None:
        return LABEL_MAPS, Source(source)
    is_of_sentences = reader.header.sentences is not None
    if is_of_sentences and reader.header.payload in OBJECT_MAPS.kinds:
        raise BadInputError("maps of sentences are not scored; make masks of them with 'wsstool select'")
    kind = SENTENCES.kinds[0] if is_of_sentences else reader.header.payload
    return SCORERS[kind], Source(source, reader)


def _load_alike(paths: list[str]) -> tuple[Scorer[Any], list[dict[str, Any]]]:
    """Return the scorer of score files of one kind, and the content of each."""
    contents = [load(path) for path in paths]
    scorers = [SCORERS.get(kind_of(content)) for content in contents]
    for path, scorer in zip(paths, scorers, strict=True):
        if scorer is None:
            raise not_a_score_file(path)
        if scorer is not scorers[0]:
            first = f"'{paths[0]}' scores {scorers[0].name}"  # type: ignore[union-attr]
            raise BadInputError(f"'{path}' scores {scorer.name}, but {first}; name files of one kind")
    return scorers[0], contents  # type: ignore[return-value]


def _refuse(scorer: Scorer[Any], options: EvalOptions, is_joined: bool) -> None:
    """Refuse options that ask for what cannot be had from this input."""
    for name in (*MEASURING, *sorted(SPECIFIC)):
        if not _is_set(options, name):
            continue
        if name in SPECIFIC and name not in scorer.options:
            raise UsageError(f"{spelled(options, name)} does not apply to {scorer.name}")
        if is_joined and name in MEASURING:
            raise UsageError(f"{spelled(options, name)} needs {scorer.name}; score files contain only counts")


def _idle(kind: str, options: EvalOptions) -> list[str]:
    """Return one sentence per reason for options that do nothing for this kind of source."""
    return idle_options(
        EvalOptions,
        {
            name: f"without {what}"
            for what, (kinds, names) in _OF_KINDS.items()
            for name in names
            if kind not in kinds and _is_set(options, name)
        },
    )


def _is_set(options: EvalOptions, name: str) -> bool:
    return bool(getattr(options, name) != EvalOptions.__dataclass_fields__[name].default)


def _beside(scorer: Scorer[Any], counts: Counts, options: EvalOptions) -> dict[str, Any]:
    """Read the files that the scores need beside the counts."""
    found: dict[str, Any] = {}
    if options.group:
        groups = read_groups(options.group, counts.root or options.truth, counts.images)
        found["groups"] = dict(zip(counts.images, groups, strict=True))
    if options.against is not None:
        found["against"] = read_counts(options.against, scorer)
    return found
