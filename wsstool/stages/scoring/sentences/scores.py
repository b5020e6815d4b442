"""The scores of masks of sentences, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wsstool.errors import BadInputError
from wsstool.metrics.referring import referring_difference, referring_scores, scores_by
from wsstool.stages.options.metrics import METRICS
from wsstool.stages.options.scoring import EvalOptions, LabelMapScores
from wsstool.stages.scoring.scorer import Scorer, Table, check_same_images
from wsstool.stages.scoring.sentences.counts import SentenceScores
from wsstool.stages.scoring.sentences.measure import CENTRAL, LARGEST, MASKS, SHUFFLED, measure

KIND, NAME = "sentences", "masks of sentences"
BASELINES = {
    LARGEST: "ground-truth mask of the largest annotated object of the image, for every sentence",
    CENTRAL: "ground-truth mask of the annotated object nearest to the centre, for every sentence",
    SHUFFLED: "the same network, with sentences about other images",
}
"""Baseline -> its definition; none of them has read the sentence."""
TITLES = {
    "overall_iou": "overall IoU",
    "mean_iou": "mean IoU",
    **{f"prec_{limit}": f"Prec@.{limit // 10}" for limit in (50, 60, 70, 80, 90)},
}


def summarise(
    counts: SentenceScores,
    options: LabelMapScores,
    *,
    groups: Mapping[str, str] | None = None,
    against: SentenceScores | None = None,
) -> dict[str, Any]:
    """Return the scores of all sentences.

    Args:
        counts: of the sentences.
        options: of the intervals.
        groups: image -> group of images that are resampled together.
        against: counts of another method for the same sentences: the row also has the paired difference.

    Returns:
        ``source``, ``kind``, ``images``, ``failed``, ``missing``, ``without_truth``, ``definition``,
        ``truth`` (where it is from), ``definitions`` (of each score and baseline), and one row in ``rows`` as
        ``metrics.referring.referring_scores``, with ``by_dataset`` where the set names some and
        ``baselines``: the same scores of each baseline, and ``gain``: the overall IoU of the masks by that of
        the baseline. ``against`` has ``source`` and the differences of ``referring_difference``.

    Raises:
        BadInputError: ``against`` scores other images or sentences.
    """
    ordered = counts.ordered()
    drawn = None if groups is None else [groups[name] for name in ordered.images]
    options_of: dict[str, Any] = {"bootstrap": options.bootstrap, "groups": drawn, "seed": options.seed}
    row: dict[str, Any] = {"name": MASKS, **referring_scores(ordered.of(MASKS), **options_of)}
    names = ordered.columns["dataset"]
    if any(names):
        row["by_dataset"] = scores_by(ordered.of(MASKS), [name or "" for name in names])
    row["baselines"] = {}
    for name in BASELINES:
        if name in ordered.pixels:
            row["baselines"][name] = _baseline(referring_scores(ordered.of(name), bootstrap=0), row)
    if against is not None:
        row["against"] = {"source": against.source, **_difference(ordered, against.ordered(), options_of)}
    return {
        "source": counts.source,
        "kind": KIND,
        "images": len(counts.images),
        "failed": counts.failed,
        "missing": counts.missing,
        "without_truth": counts.without_truth,
        "definition": "Every sentence is a sample, at the size of its image; the IoU of two empty masks is 1",
        "definitions": {
            **METRICS[NAME],
            **{name: text for name, text in BASELINES.items() if name in row["baselines"]},
        },
        "truth": counts.truth,
        "rows": [row],
    }


def _difference(counts: SentenceScores, against: SentenceScores, options: dict[str, Any]) -> dict[str, Any]:
    """Compare two methods; both in the order of image names."""
    check_same_images((against.source, counts.source), counts.images, against.images)
    try:
        return referring_difference(counts.of(MASKS), against.of(MASKS), **options)
    except ValueError:
        raise BadInputError(f"'{against.source}' and '{counts.source}' score different sentences") from None


def _baseline(found: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    own, theirs = row["overall_iou"], found["overall_iou"]
    kept = {name: found[name] for name in TITLES}
    return {**kept, "gain": own / theirs if own is not None and theirs else None}


def values(summary: dict[str, Any], metric: str) -> dict[str, float | None]:
    """Return a metric of all sentences."""
    (row,) = summary["rows"]
    return {"": row["no_target"]["accuracy"] if metric == "no_target_accuracy" else row[metric]}


def warnings(counts: SentenceScores, _options: EvalOptions, _summary: dict[str, Any]) -> list[str]:
    """Return what could not be compared."""
    said = []
    if counts.missing:
        said.append(f"{counts.missing} sentences of {counts.truth} were not predicted and are left out")
    if counts.without_truth:
        said.append(f"left out {counts.without_truth} sentences whose object has no ground-truth mask")
    if counts.failed:
        said.append(f"{counts.failed} images failed in an earlier stage; their sentences count as wrong")
    if counts.unshuffled:
        said.append(
            f"{counts.unshuffled} of {len(counts)} sentences are the same in the shuffled predictions"
        )
    return said


def columns(summary: dict[str, Any]) -> list[Table | str]:
    """Return all scores with their definitions, the baselines, and the scores of parts."""
    (row,) = summary["rows"]
    defined, interval = summary["definitions"], row.get("interval", {})
    scores = [(title, row[name], *_ends(interval.get(name)), defined[name]) for name, title in TITLES.items()]
    baselines = [
        (
            name,
            *(found[one] for one in ("overall_iou", "mean_iou", "prec_50")),
            _times(found["gain"]),
            defined[name],
        )
        for name, found in row["baselines"].items()
    ]
    parts = [
        (title, str(found["sentences"]), *(found[one] for one in ("overall_iou", "mean_iou", "prec_50")))
        for title, found in _parts(row)
        if found["sentences"]
    ]
    empty = row["no_target"]
    lines = _against(row["against"]) if "against" in row else []
    lines += [
        f"{empty['right']} of {empty['sentences']} sentences without a target have an empty mask; no other "
        "score has them."
    ] * bool(empty["sentences"])
    return [
        Table(["masks", "", "95 % from", "to", "definition"], scores),
        Table(["baseline", "overall IoU", "mean IoU", "Prec@.5", "gain", "definition"], baselines),
        Table(["part", "sentences", "overall IoU", "mean IoU", "Prec@.5"], parts),
        *lines,
        f"{summary['images']} images, {row['sentences']} sentences with a target. {summary['definition']}.",
    ]


def _ends(interval: dict[str, Any] | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval["low"], interval["high"])


def _against(found: dict[str, Any]) -> list[str]:
    """Return one line per score that is compared with that of another method."""
    lines = []
    for name in ("overall_iou", "mean_iou"):
        if found[name] is None:
            continue
        low, high = _ends(found.get("interval", {}).get(name))
        sure = "" if low is None else f", 95 % from {low:+.4f} to {high:+.4f}"
        lines.append(f"{TITLES[name]} {found[name]:+.4f} against {found['source']}{sure}")
    return lines


def _times(gain: float | None) -> str:
    return "-" if gain is None else f"{gain:.2f} x"


def _parts(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, found in row["by_length"].items():
        yield f"{name} words", found
    for name, found in row["by_size"].items():
        yield f"{name} objects", found
    for name, found in row.get("by_dataset", {}).items():
        yield f"data set {name}" if name else "no data set named", found


SENTENCES = Scorer(
    NAME,
    (KIND,),
    frozenset({"group", "against", "expressions", "shuffled"}),
    SentenceScores,
    measure,
    summarise,
    values,
    columns,
    warnings,
)
