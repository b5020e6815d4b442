"""Segment Anything (SAM), as the package transformers implements it; needs the extra ``sam``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from wsstool.errors import BadInputError, MissingInputError
from wsstool.prompts.segmenter import Prompt
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD

BATCH = 16
"""Prompts per pass of the decoder; constant, so that results do not depend on the memory of a machine."""

CONFIG = "config.json"
WEIGHTS = (
    ("model*.safetensors", "model.safetensors.index.json"),
    ("pytorch_model*.bin", "pytorch_model.bin.index.json"),
)
"""Names of the files that may hold the weights, in the order in which transformers looks for them."""


@dataclass(frozen=True)
class Encoded:
    """An image as SAM sees it.

    Args:
        embedding: (1, F, e, e) features of the image and the padding below and to the right of it.
        size: rows and columns of the image.
        scaled: rows and columns to which it was scaled.
    """

    embedding: Tensor
    size: tuple[int, int]
    scaled: tuple[int, int]


class Sam:
    """A promptable segmenter: SAM in eval mode on its device.

    The image is scaled so that its longest side has the ``side`` of the network, normalised with the ImageNet
    statistics, and padded with zeros to a square.

    Args:
        network: a ``SamModel``.
        device: where it runs.

    Source:
        Kirillov et al., "Segment Anything", ICCV 2023; preprocessing written from the documentation of
        transformers and compared with its image processor.
    """

    def __init__(self, network: Any, device: torch.device) -> None:
        self._network, self._device = network.eval().to(device), device
        self._lock = Lock()  # one image in memory at a time, whatever the number of threads
        self.side = int(network.config.vision_config.image_size)
        self.mask_side = 4 * int(network.config.prompt_encoder_config.image_embedding_size)

    @torch.no_grad()
    def encode(self, image: np.ndarray) -> Encoded:
        """Run the image encoder on an (H, W, 3) uint8 RGB image.

        Raises:
            BadInputError: the features are not finite.
        """
        size = (image.shape[0], image.shape[1])
        scaled = _scaled(size, self.side)
        with self._lock:
            x = self.input_of(image).to(self._device)
            embedding = self._network.get_image_embeddings(x)
        if not torch.isfinite(embedding).all():
            raise BadInputError("the features of Segment Anything are not finite numbers")
        return Encoded(embedding, size, scaled)

    def input_of(self, image: np.ndarray) -> Tensor:
        """Return the input of the network: (1, 3, side, side) float32."""
        rows, columns = _scaled((image.shape[0], image.shape[1]), self.side)
        small = Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        mean, std = (torch.tensor(one).view(3, 1, 1) for one in (IMAGENET_MEAN, IMAGENET_STD))
        return F.pad((x - mean) / std, (0, self.side - columns, 0, self.side - rows))[None]

    def features(self, state: Encoded) -> np.ndarray:
        """Return the features of the image without the padding, (F, h, w) float32."""
        cells = state.embedding.shape[-1]
        rows, columns = (-(-length * cells // self.side) for length in state.scaled)
        return np.asarray(state.embedding[0, :, :rows, :columns].float().cpu().numpy())

    def masks(self, state: Encoded, prompts: Iterable[Prompt]) -> Iterator[tuple[np.ndarray, float]]:
        """Yield for each prompt the one of its three masks that has the highest predicted IoU.

        Raises:
            BadInputError: the output is not finite.
        """
        waiting = iter(prompts)
        while batch := list(islice(waiting, BATCH)):
            found: dict[int, tuple[Tensor, float]] = {}
            for alike in _alike(batch):
                with self._lock:
                    logits, scores = self._decoded(state, [batch[k] for k in alike])
                found |= dict(zip(alike, zip(logits, scores.tolist(), strict=True), strict=True))
            for k in range(len(batch)):
                one, score = found[k]
                yield self._mask(one, state), min(max(score, 0.0), 1.0)

    @torch.no_grad()
    def _decoded(self, state: Encoded, prompts: list[Prompt]) -> tuple[Tensor, Tensor]:
        """Return logits of the best masks, (N, l, l), and their predicted IoUs, (N,), of prompts alike."""
        ratio = np.array(state.scaled[::-1]) / np.array(state.size[::-1])
        given: dict[str, Any] = {
            "input_boxes": np.stack([one.box.reshape(2, 2) * ratio for one in prompts]).reshape(-1, 1, 4)
        }
        if len(prompts[0].points):
            given["input_points"] = np.stack([one.points * ratio for one in prompts])[:, None]
            given["input_labels"] = np.stack([one.on_object for one in prompts])[:, None]
        tensors = {
            name: torch.as_tensor(value, dtype=torch.int64 if name == "input_labels" else torch.float32)
            for name, value in given.items()
        }
        if masks := [self._mask_input(one.mask, state) for one in prompts if one.mask is not None]:
            tensors["input_masks"] = torch.stack(masks)
        # One "image" per prompt: transformers shares the mask prompt among all prompts of an image.
        found = self._network(
            image_embeddings=state.embedding.expand(len(prompts), -1, -1, -1),
            **{name: tensor.to(self._device) for name, tensor in tensors.items()},
            multimask_output=True,
        )
        logits, scores = found.pred_masks[:, 0].float(), found.iou_scores[:, 0].float().cpu()
        if not torch.isfinite(scores).all():
            raise BadInputError("the predicted IoUs of Segment Anything are not finite numbers")
        best = scores.argmax(1)
        rows = torch.arange(len(prompts))
        return logits[rows.to(logits.device), best.to(logits.device)], scores[rows, best]

    def _mask_input(self, mask: np.ndarray, state: Encoded) -> Tensor:
        """Scale and pad a mask prompt of the size of the image: (1, m, m) float32."""
        rows, columns = (max(1, round(n * self.mask_side / self.side)) for n in state.scaled)
        x = torch.as_tensor(mask, dtype=torch.float32)[None, None]
        x = F.interpolate(x, (rows, columns), mode="bilinear", antialias=True)
        return F.pad(x, (0, self.mask_side - columns, 0, self.mask_side - rows))[0]

    @torch.no_grad()
    def _mask(self, logits: Tensor, state: Encoded) -> np.ndarray:
        """Turn the logits of a mask into a mask of the size of the image."""
        rows, columns = state.scaled
        x = F.interpolate(logits[None, None], (self.side, self.side), mode="bilinear")
        x = F.interpolate(x[..., :rows, :columns], state.size, mode="bilinear")
        return np.asarray((x[0, 0] > 0).cpu().numpy())


def _scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size at which the longest side of an image is ``side``; at least 1 pixel each.

    >>> _scaled((375, 500), 1024)
    (768, 1024)
    """
    scale = side / max(size)
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def _alike(prompts: list[Prompt]) -> Iterable[list[int]]:
    """Group prompts that can share a pass: points that only fill up a batch would change the masks."""
    groups: dict[tuple[int, bool], list[int]] = {}
    for k, one in enumerate(prompts):
        groups.setdefault((len(one.points), one.mask is None), []).append(k)
    return groups.values()


def check_installed() -> None:
    """Raise MissingInputError if the package of the extra ``sam`` is missing."""
    if find_spec("transformers") is None:
        raise MissingInputError(
            "Segment Anything needs transformers, which is not installed: pip install 'wsstool[sam]'"
        )


def checkpoint_files(folder: Path) -> list[str]:
    """Return the names of the files that transformers reads from a checkpoint of SAM.

    Raises:
        MissingInputError: no such folder, or no weights in it.
        BadInputError: not a folder, or a checkpoint of something else.
    """
    if folder.is_file():
        raise BadInputError(
            f"'{folder}' is a file; give the folder of a checkpoint for transformers, with {CONFIG} and "
            "model.safetensors"
        )
    if not folder.is_dir():
        raise MissingInputError(f"there is no folder '{folder}'")
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except FileNotFoundError:
        raise BadInputError(f"'{folder}' is no checkpoint of Segment Anything: it has no {CONFIG}") from None
    except (OSError, ValueError) as error:
        raise BadInputError(f"'{folder / CONFIG}' cannot be read: {error}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "sam":
        what = f"of model type '{kind}'" if kind else "of no model type"
        raise BadInputError(f"'{folder}' is a checkpoint {what}, not of Segment Anything ('sam')")
    for patterns in WEIGHTS:
        if weights := sorted(path.name for pattern in patterns for path in folder.glob(pattern)):
            return [CONFIG, *weights]
    raise MissingInputError(f"'{folder}' holds no weights; bring its model.safetensors")


def load_sam(folder: Path, device: torch.device) -> Sam:
    """Load a checkpoint of SAM from a folder; nothing is ever downloaded.

    Args:
        folder: as ``save_pretrained`` of transformers writes it: ``config.json`` and ``model.safetensors``.
        device: where it runs.

    Raises:
        MissingInputError: transformers is not installed, no folder, or no weights in it.
        BadInputError: weights that cannot be read, or that are of another network.
    """
    check_installed()
    checkpoint_files(folder)
    os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})
    from transformers import SamModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        network, report = SamModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except Exception as error:  # transformers raises whatever its readers raise
        why = str(error).strip().partition("\n")[0]
        raise BadInputError(f"the weights in '{folder}' cannot be loaded: {why}") from error
    wrong = sorted({*report["missing_keys"], *(one[0] for one in report["mismatched_keys"])})
    if wrong:
        raise BadInputError(
            f"the weights in '{folder}' are not those of its {CONFIG}: {len(wrong)} tensors are missing or "
            f"of another size, such as {wrong[0]}"
        )
    return Sam(network.float(), device)
