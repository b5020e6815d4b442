"""Start weights of an FCN: from a classifier, or from a coarser FCN with the same or other classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wsstool.errors import BadInputError
from wsstool.models.backbones import Backbone
from wsstool.models.heads.fcn import FCN
from wsstool.models.heads.upscore import bilinear_weight

_VGG16 = re.compile(r"(?:backbone\.)?features\.(\d+)\.(weight|bias)")
_VGG16_BLOCKS = (2, 2, 3, 3, 3)
_CLASSIFIER = {"classifier.0": "fc6", "classifier.3": "fc7"}


def transplanted(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert a VGG-16 classifier in torchvision's names to convolutions: the same numbers in other shapes.

    ``fc6`` (4096, 512 x 7 x 7) becomes a 7x7 convolution, ``fc7`` a 1x1 one; the last layer is left out. On
    a 224x224 image without the padding of 100, the one cell of ``fc7`` is the classifier's hidden layer; on a
    larger image each cell is the classifier on its 7x7 window of ``pool5``, 32 pixels apart. That is the
    224x224 window of the image, except for the convolutions' zero padding, which a cut-out window has and a
    window inside a larger image has not.

    Source:
        Long et al., CVPR 2015, section 3 and figure 2. Written from the paper.
    """
    found = {}
    for key, value in state_dict.items():
        layer, _, kind = key.rpartition(".")
        if (match := _VGG16.fullmatch(key)) and int(match[1]) in _FEATURES:
            found[f"{_FEATURES[int(match[1])]}.{match[2]}"] = value
        elif layer in _CLASSIFIER:
            name = _CLASSIFIER[layer]
            if kind == "weight":
                side = 7 if name == "fc6" else 1
                value = value.reshape(len(value), -1, side, side)
            found[f"{name}.{kind}"] = value
    return found


def _feature_names() -> dict[int, str]:
    """Map the index of a convolution in torchvision's ``features`` to its published name."""
    names, number = {}, 0
    for block, layers in enumerate(_VGG16_BLOCKS, 1):
        for layer in range(1, layers + 1):
            names[number] = f"conv{block}_{layer}"
            number += 2  # skip the ReLU
        number += 1  # skip the pooling
    return names


_FEATURES = _feature_names()


def with_classes(state_dict: Mapping[str, Tensor], rows: Sequence[int | None]) -> dict[str, Tensor]:
    """Convert the state dict of an FCN to another list of classes.

    Args:
        state_dict: only its score and upsampling layers are changed.
        rows: for each new class the old output to copy, or None: its scores start at zero and are upsampled
            bilinearly.

    Example:
        >>> old = {"score_fr.bias": torch.tensor([3.0, 5.0])}
        >>> with_classes(old, [1, None, 0])["score_fr.bias"].tolist()
        [5.0, 0.0, 3.0]
    """
    new = torch.tensor([i for i, row in enumerate(rows) if row is not None], dtype=torch.long)
    old = torch.tensor([row for row in rows if row is not None], dtype=torch.long)
    found = dict(state_dict)
    for key, value in state_dict.items():
        if key.startswith("score"):
            found[key] = value.new_zeros(len(rows), *value.shape[1:])
            found[key][new] = value[old]
        elif key.startswith("upscore"):
            found[key] = bilinear_weight(len(rows), value.shape[-1]).to(value)
            found[key][new[:, None], new] = value[old[:, None], old]
    return found


def start_fcn(
    network: FCN, state_dict: Mapping[str, Tensor], source: str, rows: Sequence[int | None] | None = None
) -> str:
    """Copy start weights into an FCN: everything that the two networks have in common.

    Args:
        network: changed in place. Layers that the start weights lack are unchanged: score layers are zero.
        state_dict: of an FCN of any stride on the same backbone, of torchvision's classifier, of one of our
            classifiers, or of another segmenter.
        source: name of the weights in messages.
        rows: see ``with_classes``; None: output k is copied to output k if the weights have at least as many
            outputs, else all start at zero.

    Returns:
        Description of what was copied.

    Raises:
        BadInputError: a layer of the backbone is missing or of another shape; ``fc6`` and ``fc7`` may be.
    """
    own = network.state_dict()
    is_fcn = any(key.startswith("upscore") for key in state_dict)
    if is_fcn:
        before = next(len(value) for key, value in state_dict.items() if key.startswith("upscore"))
        after = len(own[network.taps[0].upscore + ".weight"])
        if rows is None:
            rows = [i if i < before <= after else None for i in range(after)]
        state_dict = with_classes(state_dict, rows)
    elif network.is_published and network.backbone.arch == "vgg-16":
        state_dict = transplanted(state_dict) or state_dict
    elif not network.is_published:
        body: Backbone = network.backbone  # type: ignore[assignment]
        bare = body.own_names({key.removeprefix("backbone."): v for key, v in state_dict.items()})
        state_dict = {f"backbone.{key}": v for key, v in bare.items()}
    found = {k: v for k, v in state_dict.items() if k in own and own[k].shape == v.shape}
    prefix = "" if network.is_published else "backbone."
    needed = [
        prefix + key for key in network.backbone.state_dict() if not key.endswith("num_batches_tracked")
    ]
    hidden = [key for key in needed if network.is_published and key.startswith("fc")]
    missing = [key for key in needed if key not in found]
    if set(missing) - set(hidden):
        raise BadInputError(
            f"{source} cannot initialise {network.backbone.arch}: {len(missing)} of its {len(needed)} "
            f"tensors are missing or have a different shape, such as '{missing[0]}'"
        )
    network.load_state_dict(found, strict=False)
    if missing:
        return "the convolutions, without fc6 and fc7"
    if not is_fcn:
        return "the backbone"
    return "everything" if found.keys() == own.keys() else "the tensors that both have in common"
