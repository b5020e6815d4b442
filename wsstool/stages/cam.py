"""Class activation maps of a data set, streamed to a ``cam`` file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wsstool import store
from wsstool.cams import multiscale
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.errors import BadInputError, UsageError
from wsstool.family import setting_texts
from wsstool.models.classifier import normalise
from wsstool.registry import CAMS
from wsstool.runtime import pick_device
from wsstool.stages.batches import Picture, plan_batches, read_batches
from wsstool.stages.classifiers import load_classifier
from wsstool.stages.map_strides import map_strides
from wsstool.stages.ranges import check_scales, check_share
from wsstool.types import SILENT, ClassList, Messages


def cam(
    data: Path,
    *,
    weights: Path,
    output: Path | None = None,
    method: str = "cam",
    targets: str = "labels",
    layer: Sequence[str] | None = None,
    scale: Sequence[float] | None = None,
    flip: bool = False,
    rectify: bool | None = None,
    map_stride: int | None = None,
    score_threshold: float = 0.5,
    settings: Sequence[str] | None = None,
    dtype: str = "float16",
    split: str | None = None,
    labels: Path | None = None,
    class_list: Path | None = None,
    shard: str | None = None,
    batch_size: int = 8,
    workers: int = 2,
    device: str = "auto",
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Make the class maps of every image and write them as a ``cam`` file.

    Args:
        data: data folder.
        weights: a classifier that ``train-cls`` wrote, or a published one, see ``load_classifier``.
        output: target; None: standard output.
        method: name in ``registry.CAMS``.
        targets: which classes get a map: ``labels``: those tagged; ``scores``: those with a score above
            ``score_threshold``, found by one more forward pass; ``all``.
        layer: names of layers, see ``models.layers.find_layer``; None: the last.
        scale: image scales that are summed, (0, 8]; None: 1.
        flip: also the mirror images.
        rectify: keep the positive part of each pass; None: where several passes are summed.
        map_stride: pixels of the image a map cell; None: the layer's stride for one scale, else 4.
        score_threshold: see ``targets``; [0, 1], 1: none.
        settings: ``NAME=VALUE`` options of the method.
        dtype: ``float16`` or ``float32``.
        split, labels, class_list, shard: which images and tags, see ``data.open_dataset``.
        batch_size: images of equal size that go through the network together.
        workers: threads that decode images.
        device, max_failed, force: see ``runtime.pick_device`` and ``store.create``.

    Returns:
        ``images``, ``failed`` and ``key``.

    Raises:
        BadInputError: weights of a segmenter, or of other classes than the data's.
        UsageError: an option's value. Others: see the parts.
    """
    scales = tuple(scale or (1.0,))
    check_scales(scales)
    check_share("--score-threshold", score_threshold)
    if map_stride is not None and map_stride < 1:
        raise UsageError(f"--map-stride {map_stride}: pixels, at least 1")
    rectify = (len(scales) > 1 or flip) if rectify is None else rectify
    make = CAMS.load(method)
    own = CAMS.settings(method, settings or ())
    dataset = open_dataset(data, split=split, labels=labels, class_list=class_list, messages=messages)
    dataset = dataset.subset(store.shard_indices(dataset.names, shard))
    model, meta = load_classifier(weights, dataset.classes, is_named=class_list is not None)
    classes = _classes(meta, dataset, weights)
    where = pick_device(device)
    model = model.to(where, memory_format=model.backbone.memory_format)  # type: ignore[call-overload, union-attr]
    layers = tuple(layer or (str(model.default_layer),))
    strides = map_strides(partial(make, **own), model, layers, len(meta["class_ids"]), scales, map_stride)
    sizes = dataset.sizes()
    chosen = _targets(targets, dataset, classes, sizes)
    if chosen is None:
        messages.say("one forward pass of every image for its scores")
        chosen = _above(dataset, sizes, model, meta, classes, score_threshold, batch_size, workers)
    params: dict[str, Any] = {
        "method": method,
        "targets": targets,
        "layer": list(layers),
        "scale": list(scales),
        "flip": flip,
        "rectify": rectify,
        "map_stride": map_stride,
        "score_threshold": score_threshold if targets == "scores" else None,
        "set": setting_texts(own),
        "dtype": dtype,
        "split": split,
        "labels": str(labels) if labels else None,
        "shard": shard,
    }
    weights_input = store.Input.of_file(weights, role="weights", provenance=meta.get("provenance", ()))
    inputs = [store.Input.of_folder(dataset.root, dataset.names), weights_input]
    header = _header(params, inputs, dataset, classes, sizes, chosen, layers, strides, dtype)
    outputs = _positions(meta["class_ids"], len(classes))
    with store.create(header, output, force=force, max_failed=max_failed, messages=messages) as writer:
        batches = plan_batches(sizes, batch_size, writer.start)
        paths = [dataset.path(i) for i in range(len(dataset))]
        with messages.track(len(dataset) - writer.start, "class maps") as advance:
            for indices, pictures in read_batches(paths, sizes, batches, workers):
                good = [k for k, picture in enumerate(pictures) if isinstance(picture, np.ndarray)]
                maps, scores = [], np.zeros(0)
                if good:
                    asked = torch.from_numpy(chosen[[indices[k] for k in good]][:, meta["class_ids"]])
                    x = _input([pictures[k] for k in good], meta, model)
                    found = multiscale(
                        make,
                        model,
                        x,
                        asked.to(where),
                        layers,
                        scales=scales,
                        flip=flip,
                        rectify=rectify,
                        **own,
                    )
                    maps = [one.float() for one in found.maps]
                    scores = _scores(found.logits, meta)
                for k, i in enumerate(indices):
                    if i < writer.start:
                        continue
                    if k not in good:
                        writer.fail(str(pictures[k]))
                    else:
                        ids = np.flatnonzero(chosen[i])
                        columns = outputs[ids]
                        at = good.index(k)
                        grids = header.columns["layer_size"][i]
                        blocks = [
                            _on_grid(one[at][columns], grid) for one, grid in zip(maps, grids, strict=True)
                        ]
                        _write(writer, blocks, scores[at][columns])
                    advance()
        return {"images": len(header), "failed": writer.failed, "key": header.key}


def _classes(meta: dict[str, Any], dataset: Dataset, weights: Path) -> ClassList:
    """The class list of the weights; that of the data must have the same names."""
    palette = tuple(tuple(rgb) for rgb in meta.get("palette", ()))
    classes = ClassList(tuple(meta["classes"]), meta.get("background", -1), palette)
    names = dataset.classes.names
    if names and dataset.labels is not None and names != classes.names:
        odd = sorted(set(names) ^ set(classes.names)) or list(names)
        raise BadInputError(
            f"'{weights}' was trained for other classes than '{dataset.root}' has (such as {odd[0]}); "
            "name the right --class-list or weights"
        )
    return classes


def _targets(targets: str, dataset: Dataset, classes: ClassList, sizes: np.ndarray) -> np.ndarray | None:
    """(N, C) bool: which classes get a map; None: the scores will tell."""
    if targets == "scores":
        return None
    if targets == "all":
        chosen = np.zeros((len(dataset), len(classes)), bool)
        chosen[:, list(classes.foreground)] = True
    elif targets == "labels":
        if dataset.labels is None:
            raise UsageError(f"'{dataset.root}' has no tags; use --targets scores or all, or name --labels")
        chosen = dataset.labels.astype(bool)
    else:
        raise UsageError(f"--targets {targets}: labels, scores or all")
    chosen[sizes.sum(1) == 0] = False
    return chosen


def _above(
    dataset: Dataset,
    sizes: np.ndarray,
    model: nn.Module,
    meta: dict[str, Any],
    classes: ClassList,
    threshold: float,
    batch_size: int,
    workers: int,
) -> np.ndarray:
    """(N, C) bool: the classes whose score is above ``threshold``."""
    chosen = np.zeros((len(dataset), len(classes)), bool)
    paths = [dataset.path(i) for i in range(len(dataset))]
    for indices, pictures in read_batches(paths, sizes, plan_batches(sizes, batch_size), workers):
        good = [k for k, picture in enumerate(pictures) if isinstance(picture, np.ndarray)]
        if good:
            with torch.no_grad():
                scores = _scores(model(_input([pictures[k] for k in good], meta, model)), meta)
            for k, row in zip(good, scores > threshold, strict=True):
                chosen[indices[k], np.array(meta["class_ids"])[row]] = True
    return chosen


def _header(
    params: dict[str, Any],
    inputs: list[store.Input],
    dataset: Dataset,
    classes: ClassList,
    sizes: np.ndarray,
    chosen: np.ndarray,
    layers: Sequence[str],
    strides: Sequence[int],
    dtype: str,
) -> store.Header:
    counts = chosen.sum(1)
    grids = np.stack([-(-sizes // stride) for stride in strides], 1)  # (N, L, 2)
    elements = counts * grids.prod(2).sum(1)
    if len(layers) == 1:
        shapes = np.concatenate([counts[:, None], grids[:, 0]], 1)
    else:
        shapes = np.stack([np.full(len(counts), len(layers)), counts, np.full(len(counts), -1)], 1)
    return store.new_header(
        "cam",
        stage="cam",
        params=params,
        inputs=inputs,
        images=dataset.names,
        sizes=sizes,
        shapes=shapes,
        elements=elements,
        classes=classes,
        labels=dataset.labels,
        image_root=dataset.root,
        dtype=dtype,
        columns={
            "layer_size": grids,
            "map_offset": np.concatenate([[0], np.cumsum(counts)]),
            "map_class": np.nonzero(chosen)[1],
        },
        attributes={"layers": list(layers)},
    )


def _positions(class_ids: Sequence[int], n_classes: int) -> np.ndarray:
    """(C,) class id -> output of the network."""
    positions = np.full(n_classes, -1)
    positions[list(class_ids)] = np.arange(len(class_ids))
    return positions


def _input(pictures: list[Picture], meta: dict[str, Any], model: nn.Module) -> Tensor:
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)  # type: ignore[arg-type]
    x = normalise(batch.to(next(model.parameters()).device), meta["mean"], meta["std"])
    return x.contiguous(memory_format=model.backbone.memory_format)  # type: ignore[union-attr, arg-type]


def _scores(logits: Tensor, meta: dict[str, Any]) -> np.ndarray:
    """(B, C) in [0, 1]: a softmax where one class excludes the others."""
    single = meta.get("single_label", False)
    return (logits.softmax(1) if single else logits.sigmoid()).float().cpu().numpy()


def _on_grid(maps: Tensor, grid: np.ndarray) -> np.ndarray:
    """(K, h, w) on another grid, bilinear with half-pixel centres; untouched where sizes agree."""
    rows, columns = int(grid[0]), int(grid[1])
    if len(maps) and tuple(maps.shape[1:]) != (rows, columns):
        maps = nn.functional.interpolate(maps[None], (rows, columns), mode="bilinear", align_corners=False)[0]
    return maps.cpu().numpy()


def _write(writer: store.Writer, blocks: list[np.ndarray], scores: np.ndarray) -> None:
    """Write one image's maps, each layer divided by its largest magnitude, which goes to the tail."""
    largest = [float(np.abs(block).max()) if block.size else 0.0 for block in blocks]
    scaled = [block / (value or 1.0) for block, value in zip(blocks, largest, strict=True)]
    writer.write(np.concatenate([block.reshape(-1) for block in scaled]), scale=largest, score=scores)
