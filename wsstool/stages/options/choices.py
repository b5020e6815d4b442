"""Option values that come from a registry of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from wsstool.registry import (
    ATTENTIONS,
    BACKGROUNDS,
    CAMS,
    CLASS_LOSSES,
    COTRAINERS,
    DENSE,
    EXPORTS,
    EXPRESSION_EXPORTS,
    FILLERS,
    NMS,
    PROMPTERS,
    PROPOSALS,
    REFINERS,
    RULES,
    SELECTORS,
)

NETWORK_FORMATS = ("onnx", "pt2")
"""Formats of trained networks for other programs."""

Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["poly", "cosine", "step", "constant"]

if TYPE_CHECKING:
    Attention = str
    BackgroundKind = str
    CamMethod = str
    ClassLoss = str
    Cotrainer = str
    DenseMethod = str
    ExportFormat = str
    NmsMethod = str
    Proposer = str
    Refiner = str
    Rule = str
    Selection = str
else:  # the names become choices, completion and error texts
    Attention = Literal[ATTENTIONS.names()]
    BackgroundKind = Literal[("auto", "none", *BACKGROUNDS.names())]
    CamMethod = Literal[CAMS.names()]
    ClassLoss = Literal[("auto", *CLASS_LOSSES.names())]
    Cotrainer = Literal[COTRAINERS.names()]
    DenseMethod = Literal[DENSE.names()]
    ExportFormat = Literal[
        tuple(
            dict.fromkeys(
                ("png", *EXPORTS.names(), *EXPRESSION_EXPORTS.names(), "overlay", "tiff", *NETWORK_FORMATS)
            )
        )
    ]
    NmsMethod = Literal[NMS.names()]
    Proposer = Literal[PROPOSALS.names()]
    Refiner = Literal[tuple(name for name, entry in REFINERS.entries().items() if not entry.reads)]
    Rule = Literal[RULES.names()]
    Selection = Literal[(*SELECTORS.names(), *FILLERS.names(), *PROMPTERS.names())]
