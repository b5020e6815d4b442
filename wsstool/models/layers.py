"""Find layers of a network by name, with helpful messages for unknown names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import groupby

from torch import nn

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone

MOST_NAMED = 24
"""Maximum number of layers listed in a message."""


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """Return the layer of that name; the leading ``backbone.`` or ``backbone.network.`` may be left out.

    Raises:
        UsageError: there is none; the message lists similar names and those at the same level.
    """
    for full in (name, f"backbone.{name}", f"backbone.network.{name}"):
        try:
            return model.get_submodule(full)
        except AttributeError:
            continue
    near, names, inside = _around(model, name)
    if not names:
        raise UsageError(f"no layer '{name}' in this network; '{inside}' contains no layers")
    alike = f"similar: {', '.join(near)}; " if near else ""
    raise UsageError(f"no layer '{name}' in this network; {alike}there are: {spelled(names)}")


def check_map_layers(model: nn.Module, names: Sequence[str]) -> None:
    """Check by name that class maps can be computed from these layers of a classifier.

    Raises:
        UsageError: an empty or unknown name, the head or a layer beside it, one layer twice.
    """
    found: dict[nn.Module, str] = {}
    for name in names:
        if not name.strip("."):
            raise UsageError(f"--layer '{name}': no such layer; there are: {spelled(parts_of(model))}")
        layer = find_layer(model, name)
        backbone = getattr(model, "backbone", None)
        if isinstance(backbone, nn.Module) and all(layer is not inside for inside in backbone.modules()):
            raise UsageError(
                f"layer '{name}' comes after the last feature map; "
                f"maps can be computed from: {spelled(parts_of(model))}"
            )
        if layer in found:
            raise UsageError(f"--layer {found[layer]} and --layer {name} are the same layer; name it once")
        found[layer] = name


def parts_of(model: nn.Module) -> list[str]:
    """List the named parts of a network: those of its backbone, else its children.

    Example:
        >>> from wsstool.models.classifier import build_classifier
        >>> parts_of(build_classifier("tiny", 2))[:2]
        ['features.0', 'features.1']
    """
    backbone = getattr(model, "backbone", model)
    if isinstance(backbone, Backbone):
        return [stage.name for stage in backbone.stages]
    return [name for name, _ in backbone.named_children()]


def _around(model: nn.Module, name: str) -> tuple[list[str], list[str], str]:
    """Return similar names, the names at the level of an unknown name, and that level."""
    is_short = isinstance(getattr(model, "backbone", None), nn.Module) and name.split(".")[0] not in dict(
        model.named_children()
    )
    root: nn.Module = model.backbone if is_short else model  # type: ignore[assignment]
    around, parent = root, ""
    for key in name.split("."):
        children = dict(around.named_children())
        if key not in children:
            break
        around, parent = children[key], f"{parent}{key}."
    below = parts_of(around) if isinstance(around, Backbone) else dict(around.named_children())
    names = [f"{parent}{key}" for key in below]
    known = [full for full, _ in root.named_modules() if full]
    return get_close_matches(name, known, 3, 0.7), names, parent.rstrip(".")


def spelled(names: Sequence[str]) -> str:
    """Format names for a message: ranges for consecutive numbers, and at most ``MOST_NAMED``.

    Example:
        >>> spelled(["conv1", "features.0", "features.1", "features.2", "b2_1", "b2_2"])
        'conv1, features.0 to features.2, b2_1, b2_2'
    """

    def row(numbered: tuple[int, str]) -> tuple[str, int]:
        place, name = numbered
        number = re.search(r"\.(\d+)$", name)
        return (name[: number.start()], int(number[1]) - place) if number else (name, -1)

    found = []
    for _, group in groupby(enumerate(names), row):
        members = [name for _, name in group]
        found += members if len(members) < 3 else [f"{members[0]} to {members[-1]}"]
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more
