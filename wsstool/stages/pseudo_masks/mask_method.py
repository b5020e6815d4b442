"""Build the masking method of ``pseudo-mask`` from its options: rule, refiner, background."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError
from wsstool.family import Registry, setting_texts
from wsstool.masks.method import Method
from wsstool.masks.normalise import usual_mode
from wsstool.registry import BACKGROUNDS, REFINERS, RULES
from wsstool.stages.options.pseudo_mask import ClassMapOptions
from wsstool.stages.refiners import find_refiner
from wsstool.types import IGNORE, SILENT, Messages


def mask_method(
    header: store.Header, options: ClassMapOptions, messages: Messages = SILENT
) -> tuple[Method, dict[str, Any]]:
    """Build the masking method for a ``cam`` file.

    Args:
        header: of the file.
        options: of ``pseudo-mask``.
        messages: warned of settings that do nothing, and of rescaled probabilities.

    Returns:
        The method, and the options that are not what was typed: ``normalise`` and ``settings``.

    Raises:
        UsageError: an option's value.
        BadInputError: a rule that needs tags, and a file without any.
    """
    rule, refine, background = options.rule, options.refine, options.background
    seen = background if background in BACKGROUNDS else None
    of_refiner, of_seen, of_rule = split_settings(
        options.settings or (), (REFINERS, refine), (BACKGROUNDS, seen), (RULES, rule)
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
        refine, of_refiner, messages, of_probabilities=normalise == "probability"
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
        seen=partial(BACKGROUNDS.load(seen), **for_seen) if seen else None,
        seen_id=known if known >= 0 else IGNORE,
    )
    if method.seen is not None:
        method.seen(np.zeros((1, 1, 3), np.uint8))  # judges the range of its options
    pairs = {**for_refiner, **for_seen, **for_rule}
    return method, {"settings": setting_texts(pairs), "normalise": normalise}


def split_settings(settings: Sequence[str], *methods: tuple[Registry, str | None]) -> list[list[str]]:
    """Give each ``--set`` pair to the first method that takes it; one that none takes, to the first method.

    Args:
        settings: ``NAME=VALUE`` texts.
        methods: family and name of each method; a method whose name is None takes nothing.

    Returns:
        The pairs of each method.
    """
    chosen = [k for k, (_, name) in enumerate(methods) if name is not None]
    pairs: list[list[str]] = [[] for _ in methods]
    for pair in settings:
        option = pair.partition("=")[0].strip().replace("-", "_")
        taking = [k for k in chosen if option in methods[k][0].own_options(methods[k][1] or "")]
        pairs[(taking or chosen)[0]].append(pair)
    return pairs
