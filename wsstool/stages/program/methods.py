"""List the methods of all registries."""

from __future__ import annotations

import inspect
from typing import Any

from wsstool.registry import (
    ATTENTIONS,
    BACKBONES,
    BACKGROUNDS,
    BOX_LOSSES,
    CAMS,
    CLASS_LOSSES,
    CORRUPTIONS,
    COTRAINERS,
    DENSE,
    EXPORTS,
    EXPRESSION_EXPORTS,
    EXPRESSIONS,
    FILLERS,
    HEADS,
    NMS,
    PIXEL_LOSSES,
    PROMPTERS,
    PROPOSALS,
    REFINERS,
    RULES,
    SELECTORS,
    Registry,
)
from wsstool.types import SILENT, Messages

PLACES: dict[str, Registry] = {
    "train-cls --arch": BACKBONES,
    "train-cls --attention": ATTENTIONS,
    "train-cls --loss": CLASS_LOSSES,
    "cam --method": CAMS,
    "pseudo-mask --refine": REFINERS,
    "pseudo-mask --rule": RULES,
    "pseudo-mask --background": BACKGROUNDS,
    "train-contour --loss": BOX_LOSSES,
    "propose --method": PROPOSALS,
    "select --method": SELECTORS,
    "select --method, no proposals": FILLERS,
    "select --method, --sam-weights": PROMPTERS,
    "nms --method": NMS,
    "cotrain --method": COTRAINERS,
    "cotrain --arch": HEADS,
    "cotrain --set loss": PIXEL_LOSSES,
    "predict --dense": DENSE,
    "robustness --corruption": CORRUPTIONS,
    "export --format": EXPORTS,
    "import --expressions": EXPRESSIONS,
    "export --expressions --format": EXPRESSION_EXPORTS,
}
"""The command and option -> the registry whose names it takes."""


def methods(*, messages: Messages = SILENT) -> dict[str, Any]:
    """List the methods of all families, built-in ones and those of other packages.

    Methods that cannot be loaded are left out with a warning.

    Returns:
        ``methods``: one ``{place, name, summary, paper, cost, options}`` each, in the order of the
        registries. ``place`` is the command and option that accepts the name, ``options`` the method's
        options for ``--set`` (name -> default). ``backbones``, ``heads`` and ``readers`` (of
        sentences): the parts of network names.
    """
    from wsstool.registries.segmenters import FCN_HEADS, REFERRING

    found = []
    for place, family in PLACES.items():
        for name, entry in family.entries().items():
            try:
                method, own = family.load(name), family.own_options(name)
            except (ImportError, AttributeError) as error:  # a broken method of another package
                messages.warn(f"cannot load '{name}' of {place}: {error}")
                continue
            found.append(
                {
                    "place": place,
                    "name": name,
                    "summary": (inspect.getdoc(method) or "").partition("\n")[0],
                    "paper": entry.paper,
                    "cost": entry.cost,
                    "options": {key: parameter.default for key, parameter in own.items()},
                }
            )
    return {
        "methods": found,
        "backbones": list(BACKBONES),
        "heads": [*HEADS, *FCN_HEADS],
        "readers": list(REFERRING),
    }
