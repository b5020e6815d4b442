"""Label maps and probabilities of large images, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from wsstool import store
from wsstool.errors import UsageError
from wsstool.models.windows.blend import Block, blended
from wsstool.models.windows.plan import Windows, windows_of
from wsstool.stages.inputs.windows import LargeImage, chosen_windows, read_windows, windows_per_batch
from wsstool.stages.options.predict import LabelMapOptions
from wsstool.stages.predict.prediction_files import MAP_STRIDE
from wsstool.stages.records import Payload

Run = Callable[[list[np.ndarray]], Iterable[torch.Tensor]]
"""Of B windows of equal size, (h, w, 3) uint8: the result of each, (C, h, w) float."""


@dataclass(frozen=True)
class OverWindows:
    """How large images are computed.

    Attributes:
        windows: the plan.
        at_once: windows of a batch.
        workers: threads that read.
    """

    windows: Windows
    at_once: int
    workers: int

    def blocks(self, image: LargeImage, run: Run) -> Iterator[Block]:
        """Yield the blended result of an image in blocks, see ``blended``.

        Raises:
            BadInputError, MissingInputError: the file cannot be read.
        """
        where = windows_of(self.windows, image.size)
        with image.opened() as picture:
            batches = read_windows(picture, where, self.at_once, self.workers)
            results = (one for _, pixels in batches for one in run(pixels))
            yield from blended(results, where, image.size, self.windows.cell)

    def label_map(self, image: LargeImage, run: Run, ids: np.ndarray) -> Payload:
        """Return the (1, H, W) label map of an image.

        Args:
            image: not yet open.
            run: gives the score of each output at each pixel.
            ids: (C,) class id of each output.
        """
        labels = store.SpooledArray((1, *image.size), "uint8")
        for top, left, scores in self.blocks(image, run):
            best = scores.argmax(0).cpu().numpy()
            labels.put(ids[best].astype(np.uint8)[None], (0, top, left))
        return Payload(labels)

    def probabilities(self, image: LargeImage, run: Run) -> Payload:
        """Return the (K, h, w) probabilities of an image as a ``cam`` file has them.

        Args:
            image: not yet open.
            run: gives the probability of each of K outputs, one value every ``windows.cell`` pixels.
        """
        grid = [-(-n // self.windows.cell) for n in image.size]
        maps: store.SpooledArray | None = None
        highest = np.zeros(0, np.float32)
        for top, left, probs in self.blocks(image, run):
            values = probs.float().cpu().numpy()
            if maps is None:
                maps = store.SpooledArray((len(values), *grid), "float32")
                highest = np.zeros(len(values), np.float32)
            highest = np.maximum(highest, values.max(axis=(1, 2), initial=0))
            maps.put(values, (0, top, left))
        assert maps is not None
        largest = float(highest.max(initial=0))
        maps.divisor = largest or 1.0
        return Payload(maps, {"scale": [largest], "score": highest})


def over_windows(options: LabelMapOptions, *, multiple: int, scales: Sequence[float]) -> OverWindows:
    """Plan the windows of the large images of ``predict``.

    Args:
        options: of the command.
        multiple: pixels per cell of the network's coarsest map.
        scales: at which the network sees an image.

    Raises:
        UsageError: windows that overlap too much, or an option that needs whole images.
    """
    whole = {"--gate": options.gate, "--corruption": options.corruption, "--dense": options.dense}
    given = [name for name, value in whole.items() if value is not None]
    if given and options.window:
        raise UsageError(f"{given[0]} needs whole images and cannot be combined with --window")
    cell = MAP_STRIDE if options.probabilities else 1
    windows = chosen_windows(options, multiple=multiple, scales=scales, cells=(cell,))
    return OverWindows(
        replace(windows, cell=cell), windows_per_batch(options.batch_size, windows), options.workers
    )
