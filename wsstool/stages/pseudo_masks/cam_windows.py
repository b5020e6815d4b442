"""Class maps of large images, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from wsstool import store
from wsstool.cams.multiscale import PER_POSITION
from wsstool.data.pictures.picture import Picture
from wsstool.models.windows.blend import Blender
from wsstool.models.windows.plan import Window, Windows, windows_of
from wsstool.registry import CAMS
from wsstool.stages.inputs.windows import LargeImage, chosen_windows, read_windows, windows_per_batch
from wsstool.stages.options.cam import CamOptions
from wsstool.stages.records import Payload


class MapNetwork(Protocol):
    """A classifier and its method, see ``pseudo_masks.cam``."""

    @property
    def model(self) -> nn.Module: ...
    def logits(self, pixels: list[np.ndarray]) -> Tensor: ...
    def as_scores(self, logits: Tensor) -> np.ndarray: ...
    def blocks(
        self, pixels: list[np.ndarray], chosen: np.ndarray, grids: np.ndarray, layers: Sequence[str]
    ) -> Iterator[tuple[list[np.ndarray], Tensor]]: ...


@dataclass(frozen=True)
class MapsOverWindows:
    """How the class maps of large images are computed.

    Attributes:
        network: the classifier, and the method that computes maps.
        windows: the plan.
        layers: L names.
        strides: pixels per cell of the maps of each layer.
        at_once: windows of a batch.
        workers: threads that read.
        shrinks: the values of a map fall as its area grows, as those of a gradient of a mean do; they are
            brought to what they would be in the whole image.
    """

    network: MapNetwork
    windows: Windows
    layers: Sequence[str]
    strides: Sequence[int]
    at_once: int
    workers: int
    shrinks: bool

    def scores(self, image: LargeImage) -> np.ndarray:
        """Return the (C,) class scores of an image: of the mean logits, by the share of each window.

        Raises:
            BadInputError, MissingInputError: the file cannot be read.
        """
        total: Tensor | float = 0.0
        with image.opened() as picture:
            for held, pixels in self._batches(picture, image):
                weights = torch.tensor([window.weight for window in held])
                total = total + (self.network.logits(pixels).float().cpu() * weights[:, None]).sum(0)
        assert isinstance(total, Tensor)
        return self.network.as_scores(total[None] / (image.size[0] * image.size[1]))[0]

    def maps(self, image: LargeImage, chosen: np.ndarray, outputs: np.ndarray, *, divided: bool) -> Payload:
        """Return the class maps of an image as a ``cam`` file has them.

        Args:
            image: not yet open.
            chosen: (C,) bool, the K classes that get a map.
            outputs: (K,) outputs of the network, in the order of the class ids.
            divided: the maps of each layer are divided by their largest magnitude.
        """
        count = len(outputs)
        arrays = [
            store.SpooledArray((count, *(-(-n // stride) for n in image.size)), "float32")
            for stride in self.strides
        ]
        blenders = [Blender(image.size, stride) for stride in self.strides]
        largest, total = [0.0] * len(arrays), torch.zeros(0)
        area = image.size[0] * image.size[1]
        with image.opened() as picture:
            for held, pixels in self._batches(picture, image):
                rows = np.repeat(chosen[None], len(held), 0)
                grids = np.array([[[-(-n // s) for n in w.size] for s in self.strides] for w in held])
                found = self.network.blocks(pixels, rows, grids, self.layers)
                for window, (blocks, logits) in zip(held, found, strict=True):
                    share = window.weight * logits.float().cpu()
                    total = total + share if len(total) else share
                    if not count:
                        continue
                    factor = window.size[0] * window.size[1] / area if self.shrinks else 1.0
                    for k, (array, blender, block) in enumerate(zip(arrays, blenders, blocks, strict=True)):
                        top, left, values = blender.add(torch.from_numpy(block) * factor, window)
                        ready = values.numpy()
                        largest[k] = max(largest[k], float(np.abs(ready).max(initial=0)))
                        array.put(ready, (0, top, left))
        scores = self.network.as_scores(total[None] / area)[0][outputs]
        scale = largest if divided else [1.0] * len(arrays)
        for array, value in zip(arrays, scale, strict=True):
            array.divisor = value or 1.0
        return Payload(store.Chain(arrays), {"scale": scale, "score": scores})

    def _batches(
        self, picture: Picture, image: LargeImage
    ) -> Iterator[tuple[list[Window], list[np.ndarray]]]:
        return read_windows(picture, windows_of(self.windows, image.size), self.at_once, self.workers)


def over_windows(
    options: CamOptions, network: MapNetwork, layers: Sequence[str], strides: Sequence[int]
) -> MapsOverWindows:
    """Plan the windows of the large images of ``cam``.

    Args:
        options: of the command.
        network: the classifier, and the method that computes maps.
        layers: L names.
        strides: pixels per cell of the maps of each layer.

    Raises:
        UsageError: windows that overlap too much.
    """
    multiple = math.lcm(
        getattr(network.model, "input_multiple", 1),
        getattr(getattr(network.model, "backbone", None), "stride", 1),
    )
    scales = tuple(options.scale or (1.0,))
    windows = chosen_windows(options, multiple=multiple, scales=scales, cells=strides)
    return MapsOverWindows(
        network,
        windows,
        layers,
        strides,
        windows_per_batch(options.batch_size, windows),
        options.workers,
        shrinks=CAMS.load(options.method) in PER_POSITION,
    )
