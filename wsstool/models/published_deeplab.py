"""DeepLabv3+ files of other programs: told by the names in their state dict, described as ours are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wsstool.models.deeplabv3plus import LAST_LAYER

TISSUE_CLASSES = {
    "luad": (
        ("TE", "NEC", "LYM", "TAS", "background"),
        ((205, 51, 51), (0, 255, 0), (65, 105, 225), (255, 165, 0), (255, 255, 255)),
    ),
    "bcss": (
        ("TUM", "STR", "LYM", "NEC", "background"),
        ((255, 0, 0), (0, 255, 0), (0, 0, 255), (153, 0, 255), (255, 255, 255)),
    ),
}
"""Classes and colours of LUAD-HistoSeg and BCSS-WSSS; the last is white or left out, and never predicted."""


def published_deeplab(state_dict: Mapping[str, Tensor], path: Path | str = "") -> dict[str, Any]:
    """The description of a DeepLabv3+ on ResNet-101 at stride 16, fed with colours in [0, 1]; {} for others.

    Args:
        state_dict: ``backbone.*``, ``aspp.*``, ``decoder.*``.
        path: of the file; ``luad`` or ``bcss`` in its name says what four classes are called, which are
            ``class_0`` and so on otherwise.

    Returns:
        ``published`` (what the file is, in words), and ``arch``, ``task``, ``classes``, ``class_ids``,
        ``background``, ``palette``, ``mean``, ``std``, ``output_stride`` as in files of ours.

    Source:
        Han et al., Medical Image Analysis 2022. Written from the paper.
    """
    last = state_dict.get(f"{LAST_LAYER}weight", state_dict.get(f"{LAST_LAYER}bias"))
    parts = {name.partition(".")[0] for name in state_dict}
    on_resnet = any(name.startswith("backbone.layer3.") for name in state_dict)
    if last is None or not on_resnet or not {"aspp", "decoder"} <= parts:
        return {}
    n = len(last)
    system = "WSSS-Tissue stage 2: " if n == 4 else ""
    file = Path(path).name.lower()
    known = next((TISSUE_CLASSES[key] for key in TISSUE_CLASSES if n == 4 and key in file), None)
    names, palette = known or (tuple(f"class_{i}" for i in range(n)), ())
    return {
        "published": f"{system}DeepLabv3+ ResNet-101, {n} classes",
        "arch": "deeplabv3plus-resnet-101",
        "task": "segmentation",
        "classes": list(names),
        "class_ids": list(range(n)),
        "background": n if known else -1,
        "palette": [list(colour) for colour in palette],
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
        "output_stride": 16,
    }
