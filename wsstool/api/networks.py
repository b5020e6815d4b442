"""Trained networks from weights files, with the names of their classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.api.pixels import as_pixels
from wsstool.argument_types import checked
from wsstool.data.classlist import class_list as named_classes
from wsstool.data.label_views import find_view
from wsstool.models.classifier import normalise
from wsstool.models.weights import load_weights
from wsstool.runtime import pick_device
from wsstool.stages.networks import classifier, segmenter
from wsstool.types import ClassList

Classes = str | os.PathLike[str] | Sequence[str] | None


@checked
def load_classifier(
    path: str | os.PathLike[str], class_list: Classes = None, *, ema: bool = True, device: str = "auto"
) -> nn.Module:
    """Load a trained classifier.

    Args:
        path: weights file of ``train_cls``, or a published one.
        class_list: class names (also joined by commas), a class file, ``luad`` or ``bcss``; needed only for
            published files, which do not hold the names.
        ema: of a published file with two sets of weights, use the moving average, else the last.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        A torch module in eval mode, (B, 3, H, W) float32 -> (B, C) logits, with the attributes ``classes``
        (names of all classes, background included), ``class_ids`` (C class ids, one per output),
        ``background`` (class id or -1), ``single_label`` (whether classes exclude each other) and ``prepare``
        (image -> (1, 3, H, W) normalised tensor).

    Raises:
        MissingInputError: no such file.
        BadInputError: not a classifier, damaged, or a class list of another length.
    """
    listed = _listed(class_list)
    weights = load_weights(Path(path), averaged=ema)
    network, meta = classifier.load_classifier(
        Path(path), listed, is_named=class_list is not None, weights=weights
    )
    names = ClassList(tuple(meta["classes"]), meta["background"])
    network.single_label = meta.get("single_label", False)
    return _with_classes(network.to(pick_device(device)), names, meta["class_ids"], meta)


@checked
def load_segmenter(
    path: str | os.PathLike[str],
    class_list: Classes = None,
    *,
    arch: str | None = None,
    ema: bool = True,
    device: str = "auto",
) -> nn.Module:
    """Load a trained segmenter.

    Args:
        path: weights file of ``cotrain``, or a published one.
        class_list: as for ``load_classifier``.
        arch: HEAD-BACKBONE of a published file whose entries fit several networks.
        ema: as for ``load_classifier``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        A torch module in eval mode, (B, 3, H, W) float32 -> (B, C, H, W) logits, with the attributes of
        ``load_classifier``.

    Raises:
        MissingInputError: no such file.
        BadInputError: not a segmenter, damaged, or a class list of another length.
        UsageError: ``arch`` contradicts the file.

    Notes:
        Only the first network of a co-trained pair is loaded. ``predict`` averages both, and several scales.
    """
    listed = _listed(class_list)
    where = pick_device(device)
    found = segmenter.open_segmenter(
        Path(path),
        where,
        listed,
        is_named=class_list is not None,
        arch=arch,
        loaded=load_weights(Path(path), averaged=ema),
    )
    return _with_classes(found.networks[0], found.classes, found.ids.tolist(), found.meta)


def _with_classes(
    network: nn.Module, classes: ClassList, class_ids: Sequence[int], meta: dict[str, Any]
) -> nn.Module:
    """Attach the names of the classes, and how images are prepared."""
    own = {
        "classes": classes.names,
        "class_ids": tuple(class_ids),
        "background": classes.background,
        "prepare": partial(_prepared, network, meta["mean"], meta["std"]),
    }
    for name, value in own.items():
        setattr(network, name, value)
    return network


def _prepared(network: nn.Module, mean: Sequence[float], std: Sequence[float], image: Any) -> Tensor:
    """An image as the (1, 3, H, W) input of a network, on its device."""
    pixels = torch.from_numpy(as_pixels(image)).permute(2, 0, 1)[None]
    return normalise(pixels.to(next(network.parameters()).device), list(mean), list(std))


def _listed(classes: Classes) -> ClassList:
    if classes is None:
        return ClassList(())
    if isinstance(classes, str | os.PathLike):
        return find_view(Path(), class_list=str(classes)).classes or ClassList(())
    return named_classes(list(classes))
