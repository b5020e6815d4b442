"""``eval``: how good masks are, against the truth and beside the blind baseline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.data.listing import Lookup
from wsstool.data.splits import split_indices
from wsstool.errors import MissingInputError, UsageError
from wsstool.metrics.segmentation import IgnoredPrediction, definition
from wsstool.stages.checks import class_id
from wsstool.stages.detections.files import is_foreign
from wsstool.stages.scoring.bootstrap_groups import read_groups
from wsstool.stages.scoring.detections import METRICS as BOX_METRICS
from wsstool.stages.scoring.detections import Compared, score_boxes
from wsstool.stages.scoring.fail_under import require_least
from wsstool.stages.scoring.ground_truth import find_truth
from wsstool.stages.scoring.instances import METRICS as INSTANCE_METRICS
from wsstool.stages.scoring.instances import score_instances
from wsstool.stages.scoring.joined_scores import score_joined
from wsstool.stages.scoring.label_maps import Evaluation, Rules, evaluate, row_scores
from wsstool.stages.scoring.object_score_file import load_alike
from wsstool.stages.scoring.paired import differences
from wsstool.stages.scoring.predictions import Normalise, folder_classes, open_predictions, open_scored
from wsstool.stages.scoring.proposals import METRICS as PROPOSAL_METRICS
from wsstool.stages.scoring.proposals import score_proposals
from wsstool.stages.scoring.score_file import is_score_file, read_scores, write_scores
from wsstool.types import SILENT, Messages

METRICS = ("miou", "pixel_accuracy", "mean_accuracy", "fwiou", "image_miou", "boundary_iou")
OBJECTS = {"box": "detections", "proposal": "proposals", "selection": "masks of boxes"}
TAKEN = {"box": ("of",), "proposal": (), "selection": ("boundary", "group", "ap")}
"""The options that go with a file of objects, of those that do not go with every one."""


def eval_(
    sources: Sequence[object] | None = None,
    *,
    truth: Path | None = None,
    split: str | None = None,
    class_list: Path | None = None,
    classes_with_truth: bool = False,
    ignore_class: str | None = None,
    ignored_prediction: IgnoredPrediction = "wrong",
    normalise: Normalise = "auto",
    background_threshold: float = 0.3,
    background: str = "auto",
    sweep: bool = False,
    boundary: bool = False,
    min_area: int = 100,
    ap: bool = False,
    of: Compared = "auto",
    bootstrap: int = 1000,
    group: str | None = None,
    seed: int = 0,
    against: Path | None = None,
    fail_under: str | None = None,
    output: Path | None = None,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Score one source, or several score files as one.

    Args:
        sources: a ``mask``, ``cam``, ``box``, ``proposal`` or ``selection`` file, ``-``, a folder of masks,
            detections in a foreign form, or score files; none: standard input. Of detections see
            ``score_boxes``, of proposals ``score_proposals``, of selections ``score_instances``.
        truth: folder of true masks, or a data folder; None: the masks beside the images.
        split: score these images only: a name or a file of image names.
        class_list: class file of a folder of masks; found beside them otherwise.
        classes_with_truth: means over classes with truth, not over classes with truth or prediction.
        ignore_class: class whose truth does not count (white background), by name or id.
        ignored_prediction: what a prediction of 255 is: ``wrong``, ``background`` or ``skip``.
        normalise: of CAMs: a mode of ``masks.normalise``; ``auto``: as ``pseudo-mask`` without a refiner.
        background_threshold: of CAMs: background where no class scores more than this, [0, 1].
        background: ``none``: label maps made of CAMs have no background.
        sweep: of CAMs: the best threshold, chosen with the truth; an oracle.
        boundary: also boundary IoU (of masks of boxes it is always there).
        min_area: of masks of boxes: pixels of the true mask that an object needs, to count.
        ap: of masks of boxes: also COCO's average precision.
        of: of detections: ``box`` or ``mask``, what is compared; ``auto``: masks where they are.
        bootstrap: resamples for the interval; 0: none.
        group: column of ``meta.csv`` (or ``FILE:COLUMN``) whose equal values are drawn together, such as
            ``patient``.
        seed: of the resampling.
        against: score file of another method on the same images: each row also says by how much it is
            better, with the interval of the paired difference.
        fail_under: ``[METRIC=]FRACTION``; METRIC is one of ``METRICS``, ``miou`` by default (of
            proposals ``abo``, of detections ``ap``).
        output: score file to write.
        messages: where progress and warnings go.

    Returns:
        ``definition`` of mIoU, ``images``, ``rows`` with all scores (one a layer), and what was left out.

    Raises:
        BelowThresholdError: a row is below ``fail_under``; its ``summary`` is what would be returned.
        BadInputError: masks of another size or with unknown values, damaged input.
        MissingInputError: there is no input, or no truth.
        UsageError: options that do not fit the input.
    """
    wanted = _parse_fail_under(fail_under)
    listed = [None] if not sources else list(sources)
    if bootstrap < 0:
        raise UsageError(f"--bootstrap {bootstrap}: give 0 or more resamples")
    if not 0 <= background_threshold <= 1:
        raise UsageError(f"--background-threshold {background_threshold:g}: give a score from 0 to 1")
    given = {"sweep": sweep, "boundary": boundary, "group": group, "against": against, "ap": ap}
    given["of"] = of != "auto"
    root: Path | None = truth
    if len(listed) == 1 and is_foreign(listed[0]):
        _refuse_for("box", given)
        return score_boxes(listed[0], truth=truth, of=of, split=split, fail_under=wanted, output=output)
    if all(is_score_file(s) for s in listed):
        paths = [str(s) for s in listed]
        _refuse({"split": split, "of": of != "auto"}, "score files")
        payload, contents = load_alike(paths)
        if payload != "mask":
            _refuse({"boundary": boundary}, OBJECTS[payload])
            _refuse_for(payload, given)
            return score_joined(
                paths,
                contents,
                payload,
                min_area=min_area,
                ap=ap,
                bootstrap=bootstrap,
                groups=partial(read_groups, group, root) if group else None,
                seed=seed,
                fail_under=wanted,
                output=output,
                messages=messages,
            )
        if sweep or boundary:
            raise UsageError(
                "score files hold confusion matrices only: --sweep and --boundary need the masks"
            )
        found = read_scores(paths, contents)
    elif len(listed) > 1:
        raise UsageError("eval reads one file, or several score files of 'eval -o'")
    else:
        reader = open_scored(listed[0])
        if reader is not None and reader.header.payload in OBJECTS:
            _refuse_for(reader.header.payload, given)
            with reader:
                return _score_objects(
                    reader,
                    listed[0],
                    min_area=min_area,
                    ap=ap,
                    bootstrap=bootstrap,
                    group=group,
                    seed=seed,
                    of=of,
                    truth=truth,
                    split=split,
                    fail_under=wanted,
                    output=output,
                    messages=messages,
                )
        _refuse({"of": of != "auto"}, "label maps")
        with open_predictions(
            listed[0],
            reader=reader,
            classes=folder_classes(listed[0], truth, class_list),
            normalise=normalise,
            background_threshold=background_threshold,
            background=background,
        ) as predictions:
            masks = find_truth(predictions.names, predictions.root, predictions.classes, truth)
            root = Path(predictions.root) if predictions.kind != "folder" else truth
            chosen = _chosen(predictions.names, split, root)
            found = evaluate(
                predictions, masks, chosen=chosen, boundary=boundary, sweep=sweep, messages=messages
            )
        if not found.images:
            raise MissingInputError(
                f"none of the images of '{found.name}' that were asked for has a true mask"
            )
    if found.without_truth:
        messages.warn(f"{found.without_truth} images have no true mask and were left out")
    if found.failed:
        messages.warn(f"{found.failed} images failed in an earlier stage and count as wrong everywhere")
    if output is not None:
        write_scores(Path(output), found)
    rules = Rules(
        classes_with_truth,
        ignored_prediction,
        class_id(ignore_class, found.classes),
        found.classes.background,
    )
    groups = read_groups(group, root, found.images) if group else None
    summary = summarise(found, rules, bootstrap=bootstrap, groups=groups, seed=seed)
    if against is not None:
        compared = differences(found, against, rules, bootstrap=bootstrap, groups=groups, seed=seed)
        for row, difference in zip(summary["rows"], compared, strict=True):
            row["against"] = difference
    if wanted is not None:
        _require(summary, *wanted)
    return summary


def summarise(
    found: Evaluation,
    rules: Rules,
    *,
    bootstrap: int = 1000,
    groups: list[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The scores of all rows of an evaluation and what they mean, as plain values."""
    names = found.classes.names
    ignored = names[rules.ignore_class] if rules.ignore_class is not None else None
    return {
        "source": found.name,
        "kind": found.kind,
        "images": len(found.images),
        "without_truth": found.without_truth,
        "failed": found.failed,
        "definition": definition(
            classes_with_truth=rules.classes_with_truth,
            ignored_prediction=rules.ignored_prediction,
            ignore_class=ignored,
        ),
        "background": names[rules.background] if rules.background >= 0 else None,
        "rows": [
            row_scores(found, row, rules, bootstrap=bootstrap, groups=groups, seed=seed) for row in found.rows
        ],
    }


def _score_objects(
    reader: store.Reader,
    source: object,
    *,
    min_area: int,
    ap: bool,
    bootstrap: int,
    group: str | None,
    seed: int,
    of: Compared,
    messages: Messages,
    **common: Any,
) -> dict[str, Any]:
    """Score a file of boxes, of proposals or of masks of boxes, object by object."""
    if reader.header.payload == "box":
        return score_boxes(source, reader, of=of, **common)
    if reader.header.payload == "proposal":
        return score_proposals(reader, source, messages=messages, **common)
    return score_instances(
        reader,
        source,
        min_area=min_area,
        ap=ap,
        bootstrap=bootstrap,
        groups=partial(read_groups, group) if group else None,
        seed=seed,
        messages=messages,
        **common,
    )


def _refuse_for(payload: str, given: dict[str, Any]) -> None:
    """Refuse the options that do not go with a file of objects."""
    _refuse({k: v for k, v in given.items() if k not in TAKEN[payload]}, OBJECTS[payload])


def _refuse(options: dict[str, Any], kind: str) -> None:
    """Refuse options that do not go with a kind of source."""
    for option, value in options.items():
        if value:
            raise UsageError(f"--{option} is not for {kind}")


def _parse_fail_under(text: str | None) -> tuple[str, float] | None:
    if text is None:
        return None
    metric, _, number = text.rpartition("=")
    metric = (metric or "miou").lower().replace("-", "_")
    try:
        least = float(number)
    except ValueError:
        least = -1
    if metric not in METRICS + PROPOSAL_METRICS + INSTANCE_METRICS + BOX_METRICS:
        there = ", ".join(METRICS + PROPOSAL_METRICS + INSTANCE_METRICS + BOX_METRICS)
        raise UsageError(f"--fail-under {text}: there is no '{metric}', but {there}")
    if not 0 <= least <= 1:
        raise UsageError(f"--fail-under {text}: '{number}' is not a fraction from 0 to 1")
    return metric, least


def _require(summary: dict[str, Any], metric: str, least: float) -> None:
    for row in summary["rows"]:
        if metric not in row:
            hint = "; --boundary measures it" if metric == "boundary_iou" else ""
            raise UsageError(f"--fail-under {metric}: not measured in this run{hint}")
        require_least(summary, f"{metric} of {row['name']}", row[metric], least)


def _chosen(names: Sequence[str], split: str | None, root: Path | None) -> set[int] | None:
    if split is None:
        return None
    folder = Path(root) if root is not None else Path()
    return set(split_indices(folder, tuple(names), Lookup(names), split))
