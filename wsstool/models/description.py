"""Check the description that comes with weights, so that whoever reads it finds the types that it expects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from wsstool.errors import BadInputError
from wsstool.registries.backbones import BACKBONES
from wsstool.registries.heads import HEADS
from wsstool.types import PACKAGES


def check_description(meta: Mapping[str, Any], source: object) -> None:
    """Raise BadInputError, with the name of the entry, if one has a value of another type or range.

    Args:
        meta: the metadata of a weights file; entries may be missing, and unknown ones are not checked.
        source: the file, for the message.

    Example:
        >>> check_description({"arch": "resnet50", "class_ids": "12"}, "cls.pth")
        Traceback (most recent call last):
        wsstool.errors.BadInputError: cls.pth describes its network with class_ids '12', which is no ...
    """
    for name, value in meta.items():
        if value is not None and name in _KNOWN:
            holds, what = _KNOWN[name]
            if not holds(value):
                raise BadInputError(
                    f"{source} describes its network with {name} {_short(value)}, which is no {what}"
                )
    ids, names = meta.get("class_ids"), meta.get("classes")
    if ids and names and (max(ids) >= len(names) or meta.get("background", -1) >= len(names)):
        raise BadInputError(f"{source} names {len(names)} classes, but has outputs for class {max(ids)}")


def missing_package(meta: Mapping[str, Any]) -> str | None:
    """Return the first part of a network that another package adds and that is not installed, or None.

    Args:
        meta: the metadata of a weights file, whose ``params`` list the methods of other packages.

    Example:
        >>> missing_package({"params": {"packages": ["mine 0.3, wsstool.heads my-head, 1f0c"]}})
        "the package mine 0.3 for the head 'my-head'"
    """
    if "timm:" in str(meta.get("arch")) and find_spec("timm") is None:
        return "timm (pip install 'wsstool[timm]')"
    params = meta.get("params")
    for text in (params or {}).get(PACKAGES) or ():
        package, _, rest = str(text).partition(", ")
        group, _, name = rest.partition(",")[0].partition(" ")
        for family in (HEADS, BACKBONES):
            if group == f"wsstool.{family.family}" and name not in family:
                return f"the package {package} for the {family.noun} '{name}'"
    return None


def _short(value: Any) -> str:
    return f"'{value[:40]}'" if isinstance(value, str) else f"of type {type(value).__name__}"


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _count(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 20


def _background(value: Any) -> bool:
    return isinstance(value, int) and -1 <= value < 1 << 20


def _listed(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(holds, value))


def _ids(value: Any) -> bool:
    return _listed(_count)(value) and len(set(value)) == len(value)


def _colour(value: Any) -> bool:
    return _listed(_count)(value) and len(value) == 3 and max(value) <= 255


def _channels(value: Any) -> bool:
    return _listed(_number)(value) and len(value) == 3


def _deviations(value: Any) -> bool:
    return _channels(value) and min(value) > 0


def _step(value: Any) -> bool:
    """Whether a value is one command of a history; old ones have no key."""
    return isinstance(value, Mapping) and all(
        _text(value.get(name, default)) for name, default in (("command", None), ("stage", ""), ("key", ""))
    )


def _table(value: Any) -> bool:
    return isinstance(value, Mapping)


_KNOWN: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("arch", "task", "key", "pool", "condition", "channel_order", "draws"), (_text, "text")),
    **dict.fromkeys(
        ("head_bias", "token_head", "floored_positions", "named", "single_label"), (_truth, "yes or no")
    ),
    **dict.fromkeys(("output_stride", "width", "condition_size", "image_size"), (_count, "whole number")),
    "dropout": (_number, "number"),
    "classes": (_listed(_text), "list of names"),
    "vocabulary": (_listed(_text), "list of words"),
    "class_ids": (_ids, "list of different class ids"),
    "background": (_background, "class id or -1"),
    "palette": (_listed(_colour), "list of colours"),
    "mean": (_channels, "mean of three channels"),
    "std": (_deviations, "standard deviation of three channels"),
    "provenance": (_listed(_step), "history of commands"),
    **dict.fromkeys(("params", "summary"), (_table, "table")),
}
