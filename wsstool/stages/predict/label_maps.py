"""Label maps or class probabilities of images by a trained segmenter, streamed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.family import setting_texts
from wsstool.models.class_probabilities import class_probabilities, on_grid
from wsstool.models.classifier import normalise
from wsstool.registry import DENSE, REFINERS
from wsstool.runtime import pick_device
from wsstool.stages.checks import check_scales
from wsstool.stages.inputs.image_batches import plan_batches, read_batches
from wsstool.stages.networks.segmenter import Trained, open_segmenter
from wsstool.stages.predict.classifier_gate import open_gate
from wsstool.stages.predict.prediction_files import (
    MAP_STRIDE,
    mask_header,
    probability_header,
    write_probabilities,
)
from wsstool.stages.refiners import Refiner, bound_refiner
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, Messages


def predict(
    data: Path,
    *,
    weights: Path,
    output: Path | None = None,
    probabilities: bool = False,
    targets: str = "all",
    scale: Sequence[float] | None = None,
    flip: bool = False,
    ensemble: bool = False,
    arch: str | None = None,
    dense: str | None = None,
    gate: Path | None = None,
    gate_threshold: float = 0.1,
    gate_form: str = "forbid",
    refine: str | None = None,
    settings: Sequence[str] | None = None,
    dtype: str = "float16",
    split: str | None = None,
    labels: Path | None = None,
    class_list: Path | None = None,
    shard: str | None = None,
    batch_size: int = 4,
    workers: int = 2,
    device: str = "auto",
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Segment every image and write a ``mask`` file, or with ``probabilities`` a ``cam`` file.

    Args:
        data: data folder.
        weights: a segmenter that ``cotrain`` wrote, a published DeepLabv3+, or a published FCN.
        output: target; None: standard output.
        probabilities: write the probability of each class on a grid of 4 pixels, the background's included,
            in place of label maps.
        targets: ``all`` classes may occur; ``labels``: only the background and those tagged.
        scale: image scales whose probabilities are averaged, (0, 8]; None: 1.
        flip: also the mirror images.
        ensemble: average over both networks of a weights file that has two.
        arch: what a published file is that fits more than one network: ``fcn8s-at-once-vgg-16``.
        dense: name in ``registry.DENSE``: a score at every pixel in place of upsampled ones.
        gate: weights of a classifier; only classes that it sees in an image may occur there.
        gate_threshold, gate_form: see ``stages.predict.classifier_gate.Gate``.
        refine: name in ``registry.REFINERS``, applied to the probabilities at full size.
        settings: ``NAME=VALUE`` options of the refiner; ``crf`` takes the scores as probabilities.
        dtype: of stored probabilities, ``float16`` or ``float32``.
        split, labels, class_list, shard: which images and tags, see ``data.open_dataset``; the class list
            also names the classes of published weights.
        batch_size: images of equal size that go through the network together.
        workers: threads that decode images and refine.
        device, max_failed, force: see ``runtime.pick_device`` and ``store.create``.

    Returns:
        ``images``, ``failed`` and ``key``.

    Raises:
        BadInputError: weights of a classifier, or of other classes than the data's tags; a gate that is no
            classifier or has other classes.
        UsageError: an option's value. Others: see the parts.

    Notes:
        With ``targets="labels"``, an image without tags in a set without background may have every class.
        The gate looks at the image as it is, once, whatever ``scale`` and ``flip`` are.
    """
    scales = tuple(scale or (1.0,))
    check_scales(scales)
    if refine and probabilities:
        raise UsageError("--refine sharpens label maps; probabilities are written as the network gives them")
    if settings and not refine:
        raise UsageError("--set names an option of a refiner; choose one with --refine")
    refiner, own = find_refiner(refine, settings or (), messages)
    of_tags = messages if targets == "labels" else SILENT  # else it is the weights that name the classes
    dataset = open_dataset(data, split=split, labels=labels, class_list=class_list, messages=of_tags)
    dataset = dataset.subset(store.shard_indices(dataset.names, shard))
    where = pick_device(device)
    is_named = class_list is not None
    trained = open_segmenter(weights, where, dataset.classes, ensemble=ensemble, is_named=is_named, arch=arch)
    if what := trained.meta.get("what"):
        messages.say(f"'{weights}' is {what}")
    if dense:
        trained = replace(trained, networks=[DENSE.load(dense)(network) for network in trained.networks])
    classes, ids = trained.classes, trained.ids
    gated = (
        open_gate(
            gate,
            trained.names,
            where,
            dataset.classes,
            threshold=gate_threshold,
            form=gate_form,
            is_named=is_named,
        )
        if gate
        else None
    )
    sizes = dataset.sizes()
    allowed = _allowed(targets, dataset, trained, weights)
    params: dict[str, Any] = {
        "probabilities": probabilities,
        "targets": targets,
        "scale": list(scales),
        "flip": flip,
        "ensemble": ensemble,
        **({"arch": trained.meta["arch"]} if arch else {}),
        **({"dense": dense} if dense else {}),
        **({"gate_threshold": gate_threshold, "gate_form": gate_form} if gated else {}),
        "refine": refine,
        "set": setting_texts(own),
        "dtype": dtype if probabilities else None,
        "split": split,
        "labels": str(labels) if labels else None,
        "class_list": str(class_list) if class_list else None,
        "shard": shard,
    }
    inputs = [
        store.Input.of_folder(dataset.root, dataset.names),
        store.Input.of_file(weights, role="weights", provenance=trained.meta.get("provenance", ())),
    ]
    if gate and gated:
        inputs.append(store.Input.of_file(gate, role="gate", provenance=gated.provenance))
    if not trained.meta.get("named", True):  # the names come from elsewhere
        inputs.append(store.Input("classes", {"fingerprint": digest(canonical_json(list(classes.names)))}))
    if targets == "labels":  # the tags decide, whatever file they stand in
        tags = digest(canonical_json([classes.names, allowed.astype(int).tolist()]))
        inputs.append(store.Input("tags", {"fingerprint": tags}))
    if probabilities:
        header = probability_header(params, inputs, dataset, classes, sizes, allowed, ids)
    else:
        header = mask_header(params, inputs, dataset, classes, sizes)
    forward = partial(
        class_probabilities, trained.networks, scales=scales, flip=flip, stride=trained.input_multiple
    )
    with (
        store.create(header, output, force=force, max_failed=max_failed, messages=messages) as writer,
        messages.track(len(dataset) - writer.start, "predictions") as advance,
        ThreadPoolExecutor(max(1, workers)) as pool,
    ):
        batches = plan_batches(sizes, batch_size, writer.start)
        paths = [dataset.path(i) for i in range(len(dataset))]
        for indices, pictures in read_batches(paths, sizes, batches, workers):
            found = {i: p for i, p in zip(indices, pictures, strict=True) if isinstance(p, np.ndarray)}
            results: dict[int, np.ndarray] = {}
            if found:
                batch = torch.from_numpy(np.stack(list(found.values()))).movedim(-1, 1).to(where)
                may, factors = torch.from_numpy(allowed[list(found)]).to(where), None
                if gated:
                    may, factors = gated(batch, may)
                x = normalise(batch, trained.meta["mean"], trained.meta["std"])
                probs = forward(x, allowed=may, factors=factors)
                if probabilities:
                    maps = on_grid(probs, MAP_STRIDE).cpu().numpy()
                    results = {i: maps[k][allowed[i]] for k, i in enumerate(found)}
                elif refiner is None:
                    best = probs.argmax(dim=1).cpu().numpy()
                    results = {i: ids[best[k]].astype(np.uint8) for k, i in enumerate(found)}
                else:
                    scores = probs.cpu().numpy()
                    make = partial(_refined, refiner, ids)
                    jobs = {
                        i: pool.submit(make, scores[k], allowed[i], found[i]) for k, i in enumerate(found)
                    }
                    results = {i: job.result() for i, job in jobs.items()}
            for i, picture in zip(indices, pictures, strict=True):
                if i < writer.start:
                    continue
                if isinstance(picture, WsstoolError):
                    writer.fail(str(picture))
                elif probabilities:
                    write_probabilities(writer, results[i])
                else:
                    writer.write(results[i][None])
                advance()
    return {"images": len(header), "failed": writer.failed, "key": header.key}


def find_refiner(
    refine: str | None, settings: Sequence[str], messages: Messages = SILENT
) -> tuple[Refiner | None, dict[str, Any]]:
    """The refiner of a name with its options bound, scores taken as probabilities; and these options."""
    if refine is None:
        return None, {}
    own = REFINERS.settings(refine, settings)
    if "unary" in REFINERS.own_options(refine):
        own.setdefault("unary", "probabilities")
    return bound_refiner(refine, own, messages), own


def _refined(
    refiner: Refiner, ids: np.ndarray, probs: np.ndarray, allowed: np.ndarray, image: np.ndarray
) -> np.ndarray:
    """(H,W) uint8 from (C,H,W) probabilities; classes without 1 % at any pixel are not worth refining."""
    largest = probs.max(axis=(1, 2))
    chosen = allowed & (largest >= min(0.01, largest.max()))
    return ids[chosen][refiner(probs[chosen], image).argmax(axis=0)].astype(np.uint8)


def _allowed(targets: str, dataset: Dataset, trained: Trained, weights: Path) -> np.ndarray:
    """(N, C) bool: the outputs that may occur in each image."""
    classes = trained.classes
    if targets == "all":
        return np.ones((len(dataset), len(trained.ids)), bool)
    if targets != "labels":
        raise UsageError(f"--targets {targets}: all or labels")
    if dataset.labels is None:
        raise UsageError(f"'{dataset.root}' has no tags; use --targets all, or name --labels")
    if dataset.classes.names != classes.names:
        odd = sorted(set(dataset.classes.names) ^ set(classes.names)) or ["their order"]
        raise BadInputError(
            f"'{weights}' was trained for other classes than '{dataset.root}' has (such as {odd[0]})"
        )
    tagged = dataset.labels.astype(bool)
    if classes.background >= 0:
        tagged[:, classes.background] = True
    allowed = tagged[:, trained.ids]
    allowed[~allowed.any(axis=1)] = True
    return allowed
