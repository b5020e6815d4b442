"""One mask for every box: proposals and maps in, ``selection`` out, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError, WsstoolError
from wsstool.family import setting_texts
from wsstool.parallel import map_in_threads
from wsstool.stages.inputs.boxes import open_boxed
from wsstool.stages.inputs.image_batches import read_picture
from wsstool.stages.objects.columns import Objects, boxes_of
from wsstool.stages.objects.mask_maker import Maker, ObjectMask, masks_of
from wsstool.stages.objects.select_inputs import Given, Job, jobs, open_inputs, pixel_folder
from wsstool.store.provenance import digest
from wsstool.types import SILENT, Messages

FALLBACKS = ("auto", "prior", "grabcut", "ellipse", "box")


def select(
    source: str | None = None,
    *,
    contour: str | None = None,
    boxes: Path | None = None,
    box_format: str = "auto",
    split: str | None = None,
    output: Path | None = None,
    method: str = "greedy",
    settings: Sequence[str] | None = None,
    fallback: str = "auto",
    baselines: bool = False,
    images: Path | None = None,
    workers: int = 2,
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Choose one mask for every box and write them as a ``selection`` file.

    Args:
        source: a ``proposal`` file; for methods that need none also a ``contour`` file or a data folder with
            boxes. None or ``-``: standard input.
        contour: ``contour`` file with a map for every box; a pipe may hand over one of the two.
        boxes: box file or folder; None: those of the contour file, else those in the data folder. With both
            a map belongs to the box of its number.
        box_format: see ``data.boxes.table.read_boxes``.
        split: of a data folder.
        output: target; None: standard output.
        method: name in ``registry.SELECTORS`` or ``registry.FILLERS``.
        settings: ``NAME=VALUE`` options of the method.
        fallback: what makes a mask where the method finds nothing: a filler; ``auto``: the map where it is
            one of regions, then GrabCut where the images are there, then the ellipse.
        baselines: also measure the quality of the simple methods on the same boxes.
        images: folder of the images; None: ``WSSTOOL_IMAGES``, or the one that the file was made from.
        workers: threads; 0: none. Results do not depend on it.
        max_failed, force: see ``store.create``.

    Returns:
        ``images``, ``failed``, ``key``, ``objects``, ``fallbacks`` (reason -> objects), ``score`` (mean
        quality; None when all was up to date) and ``baselines`` (name -> mean quality).

    Raises:
        BadInputError: proposals and maps of other images or sizes, damaged input.
        MissingInputError: no proposals, no boxes, no images for a method that needs them.
        UsageError: an option's value, or inputs that the method cannot use.
    """
    maker = Maker.of(method, settings or ())
    for text in maker.idle():
        messages.warn(text)
    if fallback not in FALLBACKS:
        raise UsageError(f"--fallback {fallback}: {', '.join(FALLBACKS)}")
    with ExitStack() as stack:
        given = open_inputs(source, contour, maker, stack)
        if maker.takes_proposals and given.proposals is None:
            raise UsageError(f"method '{method}' needs proposals: name a file of 'wsstool propose'")
        if maker.takes_map and given.maps is None:
            raise UsageError(f"method '{method}' needs a map for every box: --contour names their file")
        folder = pixel_folder(given, images, needed=maker.takes_image or fallback == "grabcut")
        objects, more = _objects(given, folder, boxes, box_format, split, messages)
        others = _fallbacks(fallback, maker, given, folder)
        beside = _beside(maker, given, folder) if baselines else []
        params = {
            "method": method,
            "set": setting_texts(maker.own),
            "fallback": fallback,
            "box_format": None if box_format == "auto" else box_format,
            "split": split,
        }
        tried = store.Input("fallbacks", {"fingerprint": digest(" ".join(one.name for one in others))})
        header = _header(objects, params, (*given.inputs(), *more, tried), given.image_root(images))
        if not any(one.takes_image for one in (maker, *others, *beside)):
            folder = None
        make = partial(_masks, maker=maker, fallbacks=others, beside=beside)
        done: Counter[str] = Counter()
        with (
            store.create(header, output, force=force, max_failed=max_failed, messages=messages) as writer,
            messages.track(len(header) - writer.start, "masks") as advance,
        ):
            for found in map_in_threads(make, jobs(given, objects, folder, writer.start), workers):
                if isinstance(found, WsstoolError):
                    writer.fail(str(found))
                else:
                    _write(writer, found)
                    done += _tally(found)
                advance()
            summary = _summary(done, objects)
            _say(done["n"], summary, messages)
            _warn_of_maps(done, maker, messages)
        return {"images": len(header), "failed": writer.failed, "key": header.key, **summary}


def _objects(
    given: Given,
    folder: Path | None,
    boxes: Path | None,
    box_format: str,
    split: str | None,
    messages: Messages,
) -> tuple[Objects, tuple[store.Input, ...]]:
    """The boxes, and what they come from beside the open files."""
    if split is not None and given.folder is None:
        raise UsageError("--split is for a data folder; a file has its images already")
    if given.maps is not None and boxes is None:
        if box_format != "auto":
            raise UsageError("--box-format is for box files; the boxes are those of the maps")
        return Objects.of_header(given.maps.header), ()
    if given.folder is not None:
        source = open_boxed(given.folder, boxes=boxes, box_format=box_format, split=split, messages=messages)
        names = source.dataset.names
        objects, more = Objects.of_table(names, source.table.sizes, source.table), [source.inputs[0]]
    else:
        if folder is None:
            raise MissingInputError(
                "the boxes are with the images, which are not there; --images names their folder"
            )
        assert given.header is not None
        names, sizes, classes = given.header.images, given.header.sizes, given.header.classes
        more = []
        objects, table = boxes_of(
            folder, names, sizes, classes, boxes, box_format=box_format, messages=messages
        )
        if not given.header.params.get("shard"):
            table.check_usable()
    identity = {"fingerprint": objects.digest()}
    return objects, (*more, store.Input("boxes", identity, str(boxes or "")))


def _fallbacks(fallback: str, maker: Maker, given: Given, folder: Path | None) -> list[Maker]:
    """Methods to try in turn; the last is one that always finds something."""
    names = [fallback]
    if fallback == "auto":
        with_map = given.maps is not None and maker.guide == "region"
        names = [*(["prior"] if with_map else []), *(["grabcut"] if folder else [])]
    if fallback == "prior" and given.maps is None:
        raise UsageError("--fallback prior needs maps: --contour names their file")
    tried = [name for name in names if name != maker.name]
    return [Maker.of(name) for name in dict.fromkeys([*tried, "ellipse"])]


def _beside(maker: Maker, given: Given, folder: Path | None) -> list[Maker]:
    """The simple methods that can be measured here, but for the chosen one."""
    names = ["box", "ellipse"]
    names += ["grabcut"] if folder else []
    names += ["proposal"] if given.proposals else []
    names += ["prior"] if given.maps and maker.guide == "region" else []
    return [Maker.of(name, guide=maker.guide) for name in names if name != maker.name]


def _header(
    objects: Objects, params: dict[str, Any], inputs: Sequence[store.Input], image_root: str
) -> store.Header:
    return store.new_header(
        "selection",
        stage="select",
        params=params,
        inputs=inputs,
        images=objects.images,
        sizes=objects.sizes,
        shapes=objects.shapes,
        elements=objects.elements,
        classes=objects.classes,
        image_root=image_root,
        columns=objects.columns,
    )


def _masks(
    job: Job, *, maker: Maker, fallbacks: Sequence[Maker], beside: Sequence[Maker]
) -> list[ObjectMask] | WsstoolError:
    """The masks of one image, or why there are none."""
    if job.scene is None:
        return BadInputError(job.why)
    scene = job.scene
    if job.picture is not None and len(scene.boxes):
        image = read_picture(job.picture, np.array(scene.size))
        if isinstance(image, WsstoolError):
            return image
        scene = replace(scene, image=image)
    return masks_of(scene, maker, fallbacks, beside)


def _write(writer: store.Writer, found: list[ObjectMask]) -> None:
    pixels = [one.mask.reshape(-1) for one in found]
    writer.write(
        np.concatenate(pixels) if pixels else np.zeros(0, np.uint8),
        score=[one.score for one in found],
        fallback=[bool(one.reason) for one in found],
    )


def _tally(found: list[ObjectMask]) -> Counter[str]:
    """Sums over one image: ``n``, ``score``, ``why REASON``, ``beside NAME``, ``map KIND``."""
    sums: Counter[str] = Counter(n=len(found))
    for one in found:
        sums["score"] += one.score  # type: ignore[assignment]
        if one.reason:
            sums[f"why {one.reason}"] += 1
        if one.map_kind:
            sums[f"map {one.map_kind}"] += 1
        for name, value in one.beside.items():
            sums[f"beside {name}"] += value  # type: ignore[assignment]
    return sums


def _say(n: int, summary: dict[str, Any], messages: Messages) -> None:
    """What there is to know of ``n`` masks, before images that failed end the command."""
    if not n:
        return
    messages.say(f"{n} objects, mean quality {summary['score']:.3f}")
    for name, value in summary["baselines"].items():
        messages.say(f"  {name}: {value:.3f}")
    for reason, count in summary["fallbacks"].items():
        messages.say(f"fallback for {count}: {reason}")


def _warn_of_maps(sums: Counter[str], maker: Maker, messages: Messages) -> None:
    """Say where maps of regions are read as outlines, or the reverse: masks come out, poor ones."""
    other = {"contour": "region", "region": "contour"}[maker.guide]
    known = sums["map contour"] + sums["map region"]
    if sums[f"map {other}"] > known / 2:
        shown = {"contour": "outlines", "region": "filled regions"}
        cure = f"--set guide={other}" if maker.takes_proposals else "--method greedy with --set guide=contour"
        messages.warn(
            f"{sums[f'map {other}']} of {known} maps look like {shown[other]}, and method '{maker.name}' "
            f"takes them for {shown[maker.guide]}: try {cure}"
        )


def _summary(sums: Counter[str], objects: Objects) -> dict[str, Any]:
    n = sums["n"]
    mean = {k.removeprefix("beside "): v / n for k, v in sums.items() if k.startswith("beside ")}
    return {
        "objects": len(objects.columns["box"]),
        "score": sums["score"] / n if n else None,
        "fallbacks": {k.removeprefix("why "): v for k, v in sums.items() if k.startswith("why ")},
        "baselines": mean,
    }
