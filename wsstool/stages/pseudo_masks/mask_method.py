"""The options of ``pseudo-mask`` as one method: which rule, which refiner, where background comes from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.family import Registry, setting_texts
from wsstool.masks.method import Method
from wsstool.masks.normalise import MODES
from wsstool.registry import BACKGROUNDS, REFINERS, RULES
from wsstool.stages.refiners import bound_refiner
from wsstool.types import IGNORE, SILENT, Messages


def mask_method(
    header: store.Header,
    *,
    rule: str,
    refine: str | None,
    settings: Sequence[str],
    normalise: str,
    background: str,
    messages: Messages = SILENT,
    **own: Any,
) -> tuple[Method, dict[str, Any]]:
    """The method for a ``cam`` file, and what of it belongs into the file's history.

    Args:
        header: of the file.
        rule, refine, settings, normalise, background: see ``pseudo_mask``.
        messages: told which settings do nothing.
        **own: fields of ``Method`` that pass through.

    Raises:
        UsageError: an option's value.
        BadInputError: a rule that goes by tags, and a file without any.
    """
    seen = background if background in BACKGROUNDS else None
    if seen is None and background not in ("auto", "none"):
        raise UsageError(f"--background {background}: {', '.join(('auto', 'none', *BACKGROUNDS))}")
    if normalise != "auto" and normalise not in MODES:
        raise UsageError(f"--normalise {normalise}: auto, {', '.join(MODES)}")
    for_refiner, for_seen, for_rule = split_settings(
        settings, (REFINERS, refine), (BACKGROUNDS, seen), (RULES, rule)
    )
    gated = RULES.takes(rule, "tags")
    if gated and header.labels is None:
        raise BadInputError(
            f"the input holds no tags, by which the rule {rule} goes; make it from images with tags"
        )
    if normalise == "auto":
        normalise = _usual(header.stage, refine, gated=gated)
    if refine and normalise == "probability" and "unary" in REFINERS.own_options(refine):
        for_refiner.setdefault("unary", "probabilities")
    known = header.classes.background
    by_score = background == "auto" and not gated  # tags leave no pixel over for a background
    method = Method(
        rule=partial(RULES.load(rule), **for_rule),
        gated=gated,
        refine=bound_refiner(refine, for_refiner, messages) if refine else None,
        normalise=normalise,
        background=known if by_score else -1,
        forbidden=-1 if by_score else known,
        seen=partial(BACKGROUNDS.load(seen), **for_seen) if seen else None,
        seen_id=known if known >= 0 else IGNORE,
        **own,
    )
    if method.seen is not None:
        method.seen(np.zeros((1, 1, 3), np.uint8))  # judges the range of its options
    pairs = {**for_refiner, **for_seen, **for_rule}
    return method, {
        "rule": rule,
        "refine": refine,
        "set": setting_texts(pairs),
        "normalise": normalise,
        "background": background,
    }


def _usual(stage: str, refine: str | None, *, gated: bool) -> str:
    """The normalisation that ``auto`` stands for."""
    if stage == "predict":
        return "probability"
    if gated:
        return "minmax"
    return "class" if refine == "crf" else "joint"


def split_settings(settings: Sequence[str], *methods: tuple[Registry, str | None]) -> list[dict[str, Any]]:
    """The ``--set`` pairs of each method that was chosen, typed; none for None.

    Raises:
        UsageError: a pair that none of them takes; the first one says what it has.
    """
    chosen = [k for k, (_, name) in enumerate(methods) if name is not None]
    pairs: list[list[str]] = [[] for _ in methods]
    for pair in settings:
        option = pair.partition("=")[0].strip().replace("-", "_")
        taking = [k for k in chosen if option in methods[k][0].own_options(methods[k][1] or "")]
        pairs[(taking or chosen)[0]].append(pair)
    return [
        family.settings(name, mine) if name is not None else {}
        for (family, name), mine in zip(methods, pairs, strict=True)
    ]
