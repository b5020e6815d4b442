"""Build the masking method of ``pseudo-mask`` from its options: rule, refiner, background."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError
from wsstool.family import setting_texts
from wsstool.masks.method import Method
from wsstool.masks.normalise import usual_mode
from wsstool.registry import BACKGROUNDS, REFINERS, RULES
from wsstool.stages.options.pseudo_mask import ClassMapOptions
from wsstool.stages.refiners import find_refiner, split_settings
from wsstool.types import IGNORE, SILENT, Messages


def mask_method(
    header: store.Header,
    options: ClassMapOptions,
    messages: Messages = SILENT,
    guides: Collection[str] = (),
) -> tuple[Method, dict[str, Any]]:
    """Build the masking method for a ``cam`` file.

    Args:
        header: of the file.
        options: of ``pseudo-mask``.
        messages: warned of settings that do nothing, and of rescaled probabilities.
        guides: what the refiners can read beside scores and image.

    Returns:
        The method, and the options that are not what was typed: ``normalise``, ``settings``, and ``refine``,
        the name of a single refiner.

    Raises:
        UsageError: an option's value.
        BadInputError: a rule that needs tags, and a file without any.
    """
    rule, refine, background = options.rule, options.refine or [], options.background
    seen = background if background in BACKGROUNDS else None
    refiners = [(REFINERS, name) for name in refine]
    *of_refiners, of_seen, of_rule = split_settings(
        options.settings or (), *refiners, (BACKGROUNDS, seen), (RULES, rule)
    )
    gated = RULES.takes(rule, "tags")
    if gated and header.labels is None:
        raise BadInputError(
            f"rule {rule} needs image-level labels, but the input has none; make it from labelled images"
        )
    normalise: str = options.normalise
    if normalise == "auto":
        normalise = usual_mode(refine, header.normalisation, gated=gated)
    elif header.normalisation == "none" and normalise != "none":
        messages.warn(
            f"--normalise {normalise} rescales probabilities: thresholds are no longer probabilities"
        )
    for_rule = RULES.settings(rule, of_rule)
    for_seen = BACKGROUNDS.settings(seen, of_seen) if seen else {}
    refiner, for_refiner = find_refiner(
        refine,
        [pair for pairs in of_refiners for pair in pairs],
        messages,
        of_probabilities=normalise == "probability",
        guides=guides,
    )
    known, constant = header.classes.background, options.constant_background
    by_score = background == "auto" and not gated  # tags leave no pixel over for a background
    method = Method(
        rule=partial(RULES.load(rule), **for_rule),
        gated=gated,
        refine=refiner,
        normalise=normalise,
        background=known if by_score else -1,
        forbidden=-1 if by_score else known,
        threshold=1.0 if constant is None else constant,
        threshold_low=options.background_threshold_low,
        power=options.background_power,
        ignore_margin=options.ignore_margin,
        ignore_below=options.ignore_below,
        seen=partial(BACKGROUNDS.load(seen), **for_seen) if seen else None,
        seen_id=known if known >= 0 else IGNORE,
    )
    if method.seen is not None:
        method.seen(np.zeros((1, 1, 3), np.uint8))  # judges the range of its options
    pairs = {**for_refiner, **for_seen, **for_rule}
    typed = refine[0] if len(refine) == 1 else options.refine  # one name enters keys as it always did
    return method, {"settings": setting_texts(pairs), "normalise": normalise, "refine": typed}
