"""Options of networks that classify every token of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsstool.options import Options, Unused, option
from wsstool.stages.options.groups import MODEL, TRAINING

WITHOUT_TOKENS = Unused(lambda o: not o.token_head, "without --token-head")
WITH_LABELS = Unused(lambda o: o.is_student, "with --teacher or --token-labels")
WITHOUT_LABELS = Unused(lambda o: not o.is_student, "without --teacher or --token-labels")
WITH_SOFT_LABELS = Unused(lambda o: o.token_labels == "soft", "with --token-labels soft")
WITH_ONLINE_LABELS = Unused(
    lambda o: o.token_labels == "online", "with --token-labels online: the student labels itself"
)


@dataclass(frozen=True, kw_only=True)
class TokenHead(Options):
    """A second head of a network of tokens, which classifies every token."""

    token_head: bool = option(
        False,
        "also classify every token of the image (fan-... only)",
        panel=MODEL,
        spelling="--token-head/--no-token-head",
        key="changed",
    )
    token_weight: float = option(
        1.0,
        "weight of the class loss of the mean token logits",
        panel=TRAINING,
        at_least=0,
        key="changed",
        unused=(WITHOUT_TOKENS, WITH_LABELS),
    )
    token_gradient: bool = option(
        True,
        "let the loss of the mean token logits train the backbone, not the token head alone",
        panel=TRAINING,
        spelling="--token-gradient/--no-token-gradient",
        key="changed",
        unused=(WITHOUT_TOKENS, WITH_LABELS),
    )
    score: Literal["class", "combined"] = option(
        "class",
        "validation score: of the class token, or plus half the highest token logit of each class",
        panel=MODEL,
        key="changed",
        unused=WITHOUT_TOKENS,
    )


@dataclass(frozen=True, kw_only=True)
class TokenLabels(Options):
    """Labels of single tokens, from a labeler, for the token head of a student."""

    teacher: Path | None = option(
        None,
        "weights of a labeler, trained with --token-head, that labels the tokens",
        key=False,
        unused=WITH_ONLINE_LABELS,
    )
    token_labels: Literal["gumbel", "soft", "argmax", "online"] | None = option(
        None,
        "token labels: drawn from the class probabilities, these themselves, the most probable class, or "
        "drawn by the student; default: gumbel with --teacher",
        key="changed",
    )
    teacher_view: Literal["clean", "full"] = option(
        "clean",
        "what the teacher sees: the crop of the student without its noise, or with it, before mixing",
        key="changed",
        unused=WITHOUT_LABELS,
    )
    token_smoothing: float = option(
        0.1,
        "label smoothing of the token labels",
        panel=TRAINING,
        at_least=0,
        below=1,
        key="changed",
        unused=(WITHOUT_LABELS, WITH_SOFT_LABELS),
    )
    dense_weight: float = option(
        1.0,
        "weight of the loss on the token labels",
        panel=TRAINING,
        at_least=0,
        key="changed",
        unused=WITHOUT_LABELS,
    )
    dense_growth: bool = option(
        False,
        "let that weight grow with the square root of the epoch, from 0",
        panel=TRAINING,
        spelling="--dense-growth/--no-dense-growth",
        key="changed",
        unused=WITHOUT_LABELS,
    )

    @property
    def is_student(self) -> bool:
        """Whether tokens are labelled."""
        return self.teacher is not None or self.token_labels is not None
