"""Class activation maps of a data set, streamed to a ``cam`` file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wsstool import store
from wsstool.cams import Cams, Probabilities, multiscale
from wsstool.data.dataset import Dataset
from wsstool.data.pictures.scale import Scale
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.family import setting_texts
from wsstool.memory import say_peak
from wsstool.options import takes
from wsstool.registry import CAMS
from wsstool.stages.inputs.corruption import ImageCorruption, corruption_params, open_corruption
from wsstool.stages.inputs.image_batches import Batch, dataset_batches
from wsstool.stages.inputs.windows import (
    LargeImage,
    in_windows,
    picture_sizes,
    scale_of,
)
from wsstool.stages.networks.class_scores import ClassScores
from wsstool.stages.networks.sight import say_windows
from wsstool.stages.networks.whole_tokens import say_padding, without_small
from wsstool.stages.options.cam import CamOptions
from wsstool.stages.pseudo_masks.cam_grid import empty_maps, map_strides, probe_sides
from wsstool.stages.pseudo_masks.cam_network import open_cam_network
from wsstool.stages.pseudo_masks.cam_windows import MapsOverWindows, over_windows
from wsstool.stages.pseudo_masks.score_thresholds import sample_of, with_thresholds
from wsstool.stages.records import Payload, create, per_image, write_all
from wsstool.types import SILENT, ClassList, Messages


@takes(CamOptions)
def cam(options: CamOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Compute the class maps of every image and write them as a ``cam`` file.

    Each layer's maps are summed over scales and flips, and stored divided by their largest magnitude, which
    goes into the column ``scale``; probabilities are averaged and stored as they are, with a scale of 1.

    Returns:
        ``images``, ``failed`` and ``key``.

    Raises:
        BadInputError: weights of a segmenter, or of other classes than the data's.
        UsageError: no labels for ``--targets labels``, or a layer that has no map. Others: see the parts.
    """
    scales = tuple(options.scale or (1.0,))
    rectify = (len(scales) > 1 or options.flip) if options.rectify is None else options.rectify
    own = CAMS.settings(options.method, options.settings or ())
    method = partial(CAMS.load(options.method), **own)
    opened = open_cam_network(options, messages)
    model, meta, classes = opened.model, opened.meta, opened.classes
    if CAMS.takes(options.method, "single_label"):
        method = partial(method, single_label=meta.get("single_label", False))
    layers = tuple(options.layer or (str(model.default_layer),))
    empty = empty_maps(method, model, layers, len(meta["class_ids"]))
    strides = map_strides(empty, scales, options.map_stride, probe_sides(model)[0])
    network = _Network(
        model, meta, partial(multiscale, method, scales=scales, flip=options.flip, rectify=rectify)
    )
    corruption = open_corruption(options, messages, needs_still_objects=True)
    whole = opened.dataset
    dataset = whole.subset(store.shard_indices(whole.names, options.shard))

    if options.window and corruption is not None:
        raise UsageError("--corruption needs whole images and cannot be combined with --window")

    def images_of(part: Dataset) -> _Images:
        sizes = picture_sizes(part, scale_of(options))
        large = in_windows(options.window, sizes)
        how = options.batch_size, options.workers, model, scales, corruption
        return _Images(part, sizes, large, scale_of(options), *how)

    images = images_of(dataset)
    over = over_windows(options, network, layers, strides)
    say_padding(model, images.sizes, messages)
    if options.targets == "scores":
        messages.say("computing class scores with one forward pass per image")
    chosen = _targets(options, images, network, over, classes)
    params = options.key_params(
        layer=list(layers),
        scale=list(scales),
        rectify=rectify,
        settings=setting_texts(own),
        averaged=opened.averaged,
        **corruption_params(corruption),
    )
    inputs = [store.Input.of_folder(dataset.root, dataset.names, typed=dataset.typed), *opened.inputs]
    inputs += corruption.inputs if corruption else []
    divided = not isinstance(empty, Probabilities)
    attributes = {"layers": list(layers), **({} if divided else {"values": "probability"})}
    header = _header(params, inputs, images, classes, chosen, attributes, strides, options.dtype)

    def class_maps(numbers: list[int], pixels: list[np.ndarray]) -> Iterator[Payload]:
        rows = chosen[numbers]
        found = network.blocks(pixels, rows, header.columns["layer_size"][numbers], layers)
        for row, (blocks, logits) in zip(rows, found, strict=True):
            scores = network.as_scores(logits[None])[0][network.outputs(row)]
            yield _payload(blocks, scores, divided=divided)

    def maps_of_large(i: int, image: LargeImage) -> Payload:
        return over.maps(image, chosen[i], network.outputs(chosen[i]), divided=divided)

    if options.shard is not None:
        sample = images_of(whole.subset(sample_of(whole.names)))
        asked = partial(_targets, options, sample, network, over, classes)
        maps = _maps_of_sample(sample, network, asked, layers, strides, options.dtype, divided=divided)
        header = with_thresholds(header, options, len(whole), maps)
    with create(header, options, messages) as writer:
        left = images.large & (np.arange(len(header)) >= writer.start)
        if left.any():
            say_windows(
                over.windows, images.sizes[left], network.seen(scales, strides[0]), network.device, messages
            )
        results = per_image(images.batches(writer.start), class_maps, writer.start, maps_of_large)
        write_all(writer, results, messages, "class maps")
        if left.any():
            say_peak(messages)
    return {"images": len(header), "failed": writer.failed, "key": header.key}


@dataclass(frozen=True)
class _Images:
    """The images of a data set in batches of equal size, corrupted if asked for; too small ones fail."""

    dataset: Dataset
    sizes: np.ndarray
    large: np.ndarray
    at: Scale | None
    batch_size: int
    workers: int
    model: nn.Module
    scales: Sequence[float]
    corruption: ImageCorruption | None = None

    def batches(self, start: int = 0) -> Iterator[Batch]:
        batches = dataset_batches(
            self.dataset,
            self.sizes,
            self.batch_size,
            self.workers,
            start,
            self.corruption,
            self.large,
            self.at,
        )
        return without_small(batches, self.model, self.scales)


@dataclass(frozen=True)
class _Network(ClassScores):
    """A classifier on its device, and the method that computes its class maps."""

    method: Callable[..., Cams]

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def seen(self, scales: Sequence[float], stride: int) -> Callable[[Tensor], Tensor]:
        """Return what maps (1, 3, h, w) float to the last features at all scales, one value per stride."""

        def features(x: Tensor) -> Tensor:
            grid = [-(-n // stride) for n in x.shape[2:]]
            views = (nn.functional.interpolate(x, scale_factor=s, mode="bilinear") for s in scales)
            maps = [self.model.backbone(view) for view in views]  # type: ignore[operator]
            total = sum(nn.functional.interpolate(one, grid, mode="bilinear").sum(1, True) for one in maps)
            return torch.as_tensor(total)

        return features

    def outputs(self, chosen: np.ndarray) -> np.ndarray:
        """The outputs of the (C,) bool chosen classes, in the order of the class ids."""
        ids = np.array(self.meta["class_ids"])
        found = np.flatnonzero(chosen[ids])
        return found[np.argsort(ids[found])]

    def blocks(
        self, pixels: list[np.ndarray], chosen: np.ndarray, grids: np.ndarray, layers: Sequence[str]
    ) -> Iterator[tuple[list[np.ndarray], Tensor]]:
        """Yield per image the (K, h, w) maps of its K classes, one array per layer, and the (C,) logits.

        Args:
            pixels: B images of equal size.
            chosen: (B, C) bool, the classes of each.
            grids: (B, L, 2) rows and columns of the maps of each layer.
            layers: L names.
        """
        x, asked = self.input(pixels), torch.from_numpy(chosen[:, self.meta["class_ids"]])
        found = self.method(self.model, x, asked.to(x.device), layers)
        maps = [one.float() for one in found.maps]
        for at, (row, of_image) in enumerate(zip(chosen, grids, strict=True)):
            outputs = self.outputs(row)
            yield (
                [_on_grid(one[at][outputs], grid) for one, grid in zip(maps, of_image, strict=True)],
                found.logits[at],
            )


def _targets(
    options: CamOptions, images: _Images, network: _Network, over: MapsOverWindows, classes: ClassList
) -> np.ndarray:
    """(N, C) bool: which classes get a map."""
    if options.targets == "scores":
        return _above(images, network, over, classes, options.score_threshold)
    dataset = images.dataset
    if options.targets == "all":
        chosen = np.zeros((len(dataset), len(classes)), bool)
        chosen[:, list(classes.foreground)] = True
    else:
        if dataset.labels is None:
            raise UsageError(
                f"'{dataset.root}' has no image-level labels; use --targets scores or all, or name a label "
                "file with --labels"
            )
        chosen = dataset.labels.astype(bool)
    chosen[images.sizes.sum(1) == 0] = False
    return chosen


def _above(
    images: _Images, network: _Network, over: MapsOverWindows, classes: ClassList, threshold: float
) -> np.ndarray:
    """(N, C) bool: the classes whose score is above ``threshold``."""
    chosen = np.zeros((len(images.dataset), len(classes)), bool)
    for numbers, pictures in images.batches():
        for number, picture in zip(numbers, pictures, strict=True):
            if isinstance(picture, LargeImage):
                with suppress(BadInputError, MissingInputError):  # it fails when its maps are made
                    scores = over.scores(picture)
                    chosen[number, np.array(network.meta["class_ids"])[scores > threshold]] = True
        good = [k for k, picture in enumerate(pictures) if isinstance(picture, np.ndarray)]
        if good:
            scores = network.scores([pictures[k] for k in good])  # type: ignore[misc]
            for k, row in zip(good, scores > threshold, strict=True):
                chosen[numbers[k], np.array(network.meta["class_ids"])[row]] = True
    return chosen


def _header(
    params: dict[str, Any],
    inputs: list[store.Input],
    data: _Images,
    classes: ClassList,
    chosen: np.ndarray,
    attributes: dict[str, Any],
    strides: Sequence[int],
    dtype: str,
) -> store.Header:
    counts = chosen.sum(1)
    grids = _grids(data.sizes, strides)
    elements = counts * grids.prod(2).sum(1)
    if len(strides) == 1:
        shapes = np.concatenate([counts[:, None], grids[:, 0]], 1)
    else:
        shapes = np.stack([np.full(len(counts), len(strides)), counts, np.full(len(counts), -1)], 1)
    return store.new_header(
        "cam",
        stage="cam",
        params=params,
        inputs=inputs,
        images=data.dataset.names,
        sizes=data.sizes,
        shapes=shapes,
        elements=elements,
        classes=classes,
        labels=data.dataset.labels,
        image_root=data.dataset.root,
        dtype=dtype,
        columns={
            "layer_size": grids,
            "map_offset": np.concatenate([[0], np.cumsum(counts)]),
            "map_class": np.nonzero(chosen)[1],
        },
        attributes=attributes,
    )


def _grids(sizes: np.ndarray, strides: Sequence[int]) -> np.ndarray:
    """(N, L, 2) rows and columns of the maps of each layer."""
    return np.stack([-(-sizes // stride) for stride in strides], 1)


def _maps_of_sample(
    sample: _Images,
    network: _Network,
    asked: Callable[[], np.ndarray],
    layers: Sequence[str],
    strides: Sequence[int],
    dtype: str,
    *,
    divided: bool,
) -> Iterator[list[np.ndarray]]:
    """Yield the maps of each readable image of a sample, as a file would hold them."""
    chosen, grids = asked(), _grids(sample.sizes, strides)
    for numbers, pixels in sample.batches():
        good = [k for k, image in enumerate(pixels) if isinstance(image, np.ndarray)]
        rows = [numbers[k] for k in good]
        if not good:
            continue
        for blocks, _ in network.blocks([pixels[k] for k in good], chosen[rows], grids[rows], layers):  # type: ignore[misc]
            yield [one.astype(dtype) for one in _stored(blocks, divided=divided)[0]]


def _on_grid(maps: Tensor, grid: np.ndarray) -> np.ndarray:
    """(K, h, w) on another grid, bilinear with half-pixel centres; untouched where sizes agree."""
    rows, columns = int(grid[0]), int(grid[1])
    if len(maps) and tuple(maps.shape[1:]) != (rows, columns):
        maps = nn.functional.interpolate(maps[None], (rows, columns), mode="bilinear", align_corners=False)[0]
    return maps.cpu().numpy()


def _stored(blocks: list[np.ndarray], *, divided: bool) -> tuple[list[np.ndarray], list[float]]:
    """The maps of an image, and the scale of each layer; ``divided``: by its largest magnitude."""
    if not divided:
        return blocks, [1.0] * len(blocks)
    scale = [float(np.abs(block).max()) if block.size else 0.0 for block in blocks]
    return [block / (value or 1.0) for block, value in zip(blocks, scale, strict=True)], scale


def _payload(blocks: list[np.ndarray], scores: np.ndarray, *, divided: bool) -> Payload:
    """One image's maps, their scale and their scores."""
    blocks, scale = _stored(blocks, divided=divided)
    return Payload(np.concatenate([block.reshape(-1) for block in blocks]), {"scale": scale, "score": scores})
