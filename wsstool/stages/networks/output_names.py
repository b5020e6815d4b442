"""Class names for network outputs; published checkpoints do not contain them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstool.data.formats.voc import voc_classes
from wsstool.data.known_classes import KNOWN
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def described_classes(meta: dict[str, Any]) -> ClassList:
    """Return the class list in a description of weights."""
    palette = tuple(tuple(colour) for colour in meta.get("palette", ()))
    return ClassList(tuple(meta["classes"]), meta.get("background", -1), palette)


def own_classes(meta: dict[str, Any]) -> ClassList | None:
    """Return the class list in the description of a weights file, None for a published one."""
    return described_classes(meta) if "classes" in meta and meta.get("named", True) else None


def named_outputs(
    meta: dict[str, Any], classes: ClassList, weights: Path, *, is_named: bool = False
) -> tuple[ClassList, list[int]]:
    """Return the class list of a network and the class id of each of its outputs.

    A wsstool file contains both. The outputs of a published one are, without the background, the classes of
    LUAD-HistoSeg or BCSS-WSSS where the file's name holds ``luad`` or ``bcss``, those of PASCAL VOC where the
    description says so, else those of the data folder, else ``class_0``, ``class_1``, ... A list that has as
    many classes as the network has outputs counts with its background.

    Args:
        meta: the description.
        classes: of the data folder that the network is used on; may be empty.
        weights: the file, for its name.
        is_named: ``classes`` were named by the user: they come first.

    Raises:
        BadInputError: that list has another number of classes than the file has outputs.
    """
    ids = [int(i) for i in meta["class_ids"]]
    if (named := own_classes(meta)) is not None:
        return named, ids
    own = described_classes(meta)
    name = Path(weights).name.lower()
    fallback = voc_classes() if meta.get("class_set") == "voc" else classes
    known = next((found for word, found in KNOWN.items() if word in name), fallback)
    chosen = classes if is_named else known if known.names else own
    if len(chosen) == len(ids):
        return chosen, list(range(len(ids)))
    if len(chosen.foreground) != len(ids):
        raise BadInputError(
            f"'{weights}' has {len(ids)} classes, but the class list has {len(chosen.foreground)}; name the "
            "matching list with --class-list"
        )
    return chosen, list(chosen.foreground)
