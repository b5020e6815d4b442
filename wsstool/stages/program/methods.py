"""Every method that an option can name, from the registries."""

from __future__ import annotations

import inspect
from typing import Any

from wsstool.registry import (
    ATTENTIONS,
    BACKGROUNDS,
    BOX_LOSSES,
    CAMS,
    CORRUPTIONS,
    COTRAINERS,
    DENSE,
    EXPORTS,
    FILLERS,
    NMS,
    PROPOSALS,
    REFINERS,
    RULES,
    SELECTORS,
    Registry,
)
from wsstool.types import SILENT, Messages

PLACES: dict[str, Registry] = {
    "train-cls --attention": ATTENTIONS,
    "cam --method": CAMS,
    "pseudo-mask --refine": REFINERS,
    "pseudo-mask --rule": RULES,
    "pseudo-mask --background": BACKGROUNDS,
    "propose --method": PROPOSALS,
    "select --method": SELECTORS,
    "select --method, no proposals": FILLERS,
    "cotrain --method": COTRAINERS,
    "train-contour --loss": BOX_LOSSES,
    "predict --dense": DENSE,
    "wsstool.corruptions.corrupt": CORRUPTIONS,
    "export --format": EXPORTS,
    "nms --method": NMS,
}
"""The command and option, or the function, -> the registry whose names it takes."""


def methods(*, messages: Messages = SILENT) -> dict[str, Any]:
    """List the methods of all families, ours and those of other packages.

    One that cannot be loaded is warned about and left out.

    Returns:
        ``methods``: one ``{place, name, summary, paper, cost, options}`` each, in the order of the
        registries. ``place`` is the command and option that takes the name, ``options`` what ``--set``
        takes for it (name -> default). ``backbones`` and ``heads``: the parts of network names.
    """
    from wsstool.models.backbones import BACKBONES
    from wsstool.models.heads.fcn import FCN_HEADS
    from wsstool.models.segmenter import HEADS

    found = []
    for place, family in PLACES.items():
        for name, entry in family.entries().items():
            try:
                method, own = family.load(name), family.own_options(name)
            except (ImportError, AttributeError) as error:  # a method of another package, badly installed
                messages.warn(f"'{name}' of {place} cannot be loaded: {error}")
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
    return {"methods": found, "backbones": list(BACKBONES), "heads": [*HEADS, *FCN_HEADS]}
