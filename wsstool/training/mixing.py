"""Mixup and CutMix: each image of a batch mixed with one partner, and its targets with the partner's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from wsstool.errors import UsageError


@dataclass(frozen=True)
class Mixing:
    """Mixes a batch with itself in reversed order, one draw per batch.

    With lam ~ Beta(a, a): mixup takes lam times the image plus 1 - lam times its partner; CutMix replaces a
    rectangle of 1 - lam of the area, around a uniform centre and clipped at the border, by that of the
    partner, and lam becomes the share that is left. The targets are mixed by lam. If both are on, each is
    taken for half of the batches.

    Args:
        mixup: a of mixup, >= 0; 0: none.
        cutmix: a of CutMix, >= 0; 0: none.
        seed: of the draws.

    Source:
        Zhang et al., ICLR 2018; Yun et al., ICCV 2019. Written from the papers and a description of the
        published program.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    seed: int = 0

    def __call__(self, images: Tensor, targets: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Mix a batch.

        Args:
            images: (B,3,H,W) uint8, B even.
            targets: (B,K) float.
            step: of the run; the draw depends on seed and step alone.

        Returns:
            Images, rounded to uint8, and targets of the same shapes.

        Raises:
            UsageError: an odd number of images.
        """
        if len(images) % 2:
            raise UsageError(_odd(len(images)))
        rng = np.random.default_rng([self.seed, step, 0, 2])
        cuts = self.cutmix > 0 and (self.mixup == 0 or rng.random() < 0.5)
        alpha = self.cutmix if cuts else self.mixup
        lam = float(rng.beta(alpha, alpha)) if alpha else 1.0
        if cuts:
            height, width = images.shape[-2:]
            (top, bottom), (left, right) = (_side(n, math.sqrt(1 - lam), rng) for n in (height, width))
            mixed = images.clone()
            mixed[..., top:bottom, left:right] = images.flip(0)[..., top:bottom, left:right]
            lam = 1 - (bottom - top) * (right - left) / (height * width)
        else:
            floats = images.float()
            mixed = (lam * floats + (1 - lam) * floats.flip(0)).round_().to(images.dtype)
        return mixed, lam * targets + (1 - lam) * targets.flip(0)


def check_even(n: int, batch_size: int, *, drop_last: bool) -> None:
    """Check that every batch of an epoch has a partner for each of its images.

    Args:
        n: training images.
        batch_size, drop_last: see ``EpochLoader``.

    Raises:
        UsageError: a batch would be odd.
    """
    full = min(batch_size, n)
    if full % 2:
        raise UsageError(f"{_odd(full)}; choose an even --batch-size, at most the number of images")
    rest = n % full
    if rest % 2 and rest > 1 and not drop_last:
        raise UsageError(f"{_odd(rest)}, the last of each epoch; add --drop-last")


def _odd(n: int) -> str:
    return f"mixup and CutMix need an even number of images per batch, and one would have {n}"


def _side(n: int, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """Return where a cut of a share of the side, around a uniform centre, starts and ends."""
    cut, centre = int(n * share), int(rng.integers(n))
    return max(0, centre - cut // 2), min(n, centre + cut // 2)
