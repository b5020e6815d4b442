"""Methods for training a segmenter on noisy masks: plain, co-teaching, self-training, or an EMA teacher.

Each is a function ``f(setup, **own) -> CoTraining``, a task for ``training/loop.py``.
"""

from __future__ import annotations

from wsstool.training.cotraining.ema_teacher import EmaTeacher
from wsstool.training.cotraining.segmentation_task import CoTraining, Setup
from wsstool.training.cotraining.small_loss_task import Selecting


def plain(setup: Setup, *, loss: str = "cross-entropy", reduction: str = "mean") -> CoTraining:
    """Train one network with cross-entropy (or a robust loss) on every labelled pixel.

    Args:
        setup: see ``Setup``; its noise rate is not used.
        loss: cross-entropy, generalised or symmetric; the last two fit wrong labels more slowly.
        reduction: mean over the labelled pixels of a batch, or sum over those of an image; a sum requires a
            learning rate that is smaller by the number of pixels.
    Source:
        Long et al., CVPR 2015 (pixel-wise cross-entropy, a mean; in PAMI 2016 a sum); robust losses name
        their own sources. Written from the papers.
    """
    return CoTraining(setup, 1, loss, reduction)


def coteaching(
    setup: Setup, *, loss: str = "cross-entropy", pool: str = "batch", ramp: float = 0.3, warmup: float = 0.2
) -> CoTraining:
    """Train two networks; each learns from the pixels on which the other has a small loss (co-teaching).

    A wrong label is learned late, so its loss is large early on; and the two networks, which are initialised
    differently, make different mistakes, so neither confirms its own.

    Args:
        setup: see ``Setup``; most important is a noise rate near the real share of wrong pixels.
        loss: cross-entropy, generalised or symmetric.
        pool: batch, image or class: the pixels among which the loss is ranked.
        ramp: share of the training over which the dropped share grows to the noise rate, [0, 1].
        warmup: initial share of the training in which nothing is dropped if the noise rate is estimated,
            (0, 1).

    Notes:
        Both networks see the same batch and stay in train mode. With noise rate 0 it equals plain training.
    Source:
        Han et al., NeurIPS 2018, algorithm 1, per pixel. Written from the paper.
    """
    return Selecting(setup, (1, 0), loss=loss, pool=pool, ramp=ramp, warmup=warmup)


def self_training(
    setup: Setup, *, loss: str = "cross-entropy", pool: str = "batch", ramp: float = 0.3, warmup: float = 0.2
) -> CoTraining:
    """Train one network on the pixels on which its own loss is small: cheaper, but its mistakes accumulate.

    Args:
        setup: see ``Setup``.
        loss: cross-entropy, generalised or symmetric.
        pool: batch, image or class: the pixels among which the loss is ranked.
        ramp: share of the training over which the dropped share grows to the noise rate, [0, 1].
        warmup: initial share of the training in which nothing is dropped if the noise rate is estimated,
            (0, 1).

    Source:
        The one-network baseline of Han et al., NeurIPS 2018 (self-paced small loss). Written from the paper.
    """
    return Selecting(setup, (0,), loss=loss, pool=pool, ramp=ramp, warmup=warmup)


def ema_teacher(
    setup: Setup,
    *,
    loss: str = "cross-entropy",
    decay: float = 0.99,
    teacher_weight: float = 0.5,
    ramp: float = 0.4,
    hard: bool = False,
) -> CoTraining:
    """Train one network whose moving average corrects its labels; the average is kept.

    Target of a pixel: (1 - w) x label + w x teacher, w growing to ``teacher_weight``.

    Args:
        setup: see ``Setup``; its noise rate is not used.
        loss: for the label part: cross-entropy, generalised or symmetric.
        decay: of the average per step, (0, 1); 0.99 for hundreds of steps, 0.999 for tens of thousands.
        teacher_weight: [0, 1]; 0 only averages, 1 ignores the labels.
        ramp: share of the training over which the weight of the teacher grows, [0, 1].
        hard: use the teacher's best class instead of its distribution.

    Source:
        Tarvainen and Valpola, NIPS 2017 (the averaged teacher); Reed et al., ICLR 2015 workshop, equations
        2 and 3 (targets mixed with predictions). Written from the papers.
    """
    return EmaTeacher(setup, loss=loss, decay=decay, teacher_weight=teacher_weight, ramp=ramp, hard=hard)
