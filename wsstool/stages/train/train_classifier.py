"""Train a classifier on image-level tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsstool import store
from wsstool.errors import UsageError
from wsstool.models.backbones import default_output_stride
from wsstool.models.classifier import NORMALIZATIONS, build_classifier
from wsstool.models.layers import find_layer
from wsstool.models.weights import load_backbone
from wsstool.registry import ATTENTIONS
from wsstool.runtime import pick_device, seed_everything
from wsstool.stages.checks import backbone_rate_of, check_failed, check_penalty, check_scales, check_share
from wsstool.stages.inputs.tags import open_tagged, open_validation, usable_items
from wsstool.stages.train.classifier_training import Lesson, attention_of, by_probe, by_steps
from wsstool.stages.train.run import TrainingRun
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.types import SILENT, Messages

PROBE_PARAMS = (
    *("arch", "output_stride", "pool", "head_bias", "normalization"),
    *("split", "labels", "class_list", "loss"),
)
"""Options of step-wise training that count for a probe too."""


def train_cls(
    data: Path,
    *,
    output: Path = Path("cls.pth"),
    arch: str = "mobilenet-v2",
    init: Path | None = None,
    output_stride: int | None = None,
    pool: str = "average",
    dropout: float = 0.0,
    head_bias: bool = True,
    attention: str | None = None,
    settings: Sequence[str] | None = None,
    normalization: str = "imagenet",
    split: str | None = None,
    val_split: str | None = None,
    labels: Path | None = None,
    class_list: Path | None = None,
    images: Path | None = None,
    image_size: int = 224,
    area: float = 0.3,
    flip: bool = True,
    flip_vertical: bool = False,
    color_jitter: float = 0.2,
    epochs: int = 20,
    batch_size: int = 16,
    drop_last: bool = False,
    lr: float = 1e-3,
    backbone_rate: float | None = None,
    freeze: Sequence[str] | None = None,
    freeze_norm: bool = False,
    optimizer: str = "adamw",
    momentum: float = 0.9,
    schedule: str = "cosine",
    warmup_epochs: float = 0.5,
    weight_decay: float = 0.01,
    clip: float = 0.0,
    ema: float = 0.0,
    loss: str = "auto",
    probe: bool = False,
    scale: Sequence[float] | None = None,
    penalty: float = 0.03,
    balanced: bool = False,
    intercept: bool = False,
    label_smoothing: float = 0.0,
    positive_weight: float = 1.0,
    amp: bool = True,
    workers: int = 2,
    seed: int = 0,
    device: str = "auto",
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Train a classifier and write its weights; nothing is done when they are up to date.

    Args:
        data: data folder with tags, or a record file (its images and labels).
        output: weights file. ``OUTPUT.part`` holds an unfinished run, ``OUTPUT.log.jsonl`` the figures.
        arch: backbone.
        init: start weights of the backbone; None: random.
        output_stride: of the class maps, 32, 16, 8 or 4; None: 16, or the network's own if that is smaller.
        pool: average, max, lse or topk.
        dropout: share of feature channels dropped in training, [0, 1).
        head_bias: give the head a bias.
        attention: name in ``registry.ATTENTIONS``: what becomes of the features in training; None: nothing.
        settings: ``NAME=VALUE`` options of the attention.
        normalization: of the input: imagenet or none.
        split: images to train on; None: the split ``train`` if there is one, else all.
        val_split: images whose mean average precision chooses the epoch that is kept; None: the last epoch.
        labels, class_list: see ``open_dataset``.
        images: folder with the images of a record file.
        image_size: side of the training views, pixels.
        area: least share of the image that a view shows, (0, 1].
        flip, flip_vertical, color_jitter: see ``RandomResizedCrop``.
        epochs, lr, optimizer, momentum, schedule, warmup_epochs, weight_decay, clip, ema, amp, seed: see
            ``Plan``.
        batch_size, drop_last: see ``EpochLoader``.
        backbone_rate: learning rate of the backbone relative to the head's; 0: frozen; None: 0.1 with
            ``init``, else 1.
        freeze: layers that are not trained, see ``find_layer``; None or ``none``: none.
        freeze_norm: every batch norm keeps its statistics and its weights.
        loss: soft-margin (each class on its own), cross-entropy (one class excludes the others), or auto:
            cross-entropy when every image has exactly one tag.
        probe: train the head alone, exactly, on pooled features of the frozen start weights at all ``scale``
            (None: 1) with ``penalty``, ``balanced`` and ``intercept``, see ``training.tag_probe``;
            options of step-wise training then have no effect.
        label_smoothing, positive_weight: see the losses.
        workers: processes that prepare images.
        device: auto, cpu, cuda, cuda:N or mps.
        max_failed: images that may be unreadable; they are left out in any case.
        force: train although the output is up to date.
        messages: told what happens.

    Returns:
        ``output``, ``key``, ``images`` (trained on), ``skipped`` (without tags), ``failed`` (unreadable),
        ``up_to_date``, and the figures of the epoch that is kept.

    Raises:
        BadInputError: no tags, start weights of another network, another class list in the validation split.
        SomeFailedError: more than ``max_failed`` images are unreadable; the weights are written.
        UsageError, MissingInputError, BusyError, CannotWriteError: see the parts.
    """
    if normalization not in NORMALIZATIONS:
        raise UsageError(f"no normalization '{normalization}'; there are: {', '.join(NORMALIZATIONS)}")
    output = Path(output)
    source = open_tagged(Path(data), split, labels, class_list, images, messages)
    valid = open_validation(Path(data), val_split, labels, class_list, source.classes)
    if output_stride is None:
        output_stride = default_output_stride(arch)
    backbone_rate = backbone_rate_of(backbone_rate, init)
    check_share("--dropout", dropout, one=False)
    own = _own_options(attention, settings)
    frozen = [name for name in freeze or () if name != "none"]
    if loss == "auto":
        loss = "cross-entropy" if (source.tags.sum(1) <= 1).all() else "soft-margin"
    params: dict[str, Any] = {
        "arch": arch,
        "output_stride": output_stride,
        "pool": pool,
        "dropout": dropout,
        "head_bias": head_bias,
        "attention": attention,
        "set": [f"{k}={v}" for k, v in own.items()] or None,
        "normalization": normalization,
        "split": split,
        "val_split": val_split,
        "labels": labels,
        "class_list": class_list,
        "image_size": image_size,
        "area": area,
        "flip": flip,
        "flip_vertical": flip_vertical,
        "color_jitter": color_jitter,
        "epochs": epochs,
        "batch_size": batch_size,
        "drop_last": drop_last,
        "lr": lr,
        "backbone_rate": backbone_rate,
        "freeze": frozen or None,
        "freeze_norm": freeze_norm,
        "optimizer": optimizer,
        "momentum": momentum,
        "schedule": schedule,
        "warmup_epochs": warmup_epochs,
        "weight_decay": weight_decay,
        "clip": clip,
        "ema": ema,
        "loss": loss,
        "label_smoothing": label_smoothing,
        "positive_weight": positive_weight,
        "seed": seed,
    }
    scales = list(scale or (1.0,))
    if probe:
        if init is None or pool != "average":
            raise UsageError("--probe needs start weights (--init) and --pool average")
        if intercept and not head_bias:
            raise UsageError("--intercept fits the bias of the head, which --no-head-bias takes away")
        check_penalty(penalty)
        check_scales(scales)
        params = {k: v for k, v in params.items() if k in PROBE_PARAMS}
        params |= {"probe": True, "scale": scales, "penalty": penalty, "balanced": balanced}
        params["intercept"] = intercept
    inputs = [*source.inputs, *(valid.inputs if valid else ())]
    if init is not None:
        inputs.append(store.Input.of_file(Path(init), role="init"))
    run = TrainingRun.of("train-cls", "classification", output, params, inputs)

    with run.held(force=force, max_failed=max_failed, messages=messages) as found:
        if found:
            return found
        where = pick_device(device)
        seed_everything(seed)
        model = build_classifier(
            arch,
            source.tags.shape[1],
            output_stride=output_stride,
            pool=pool,
            dropout=dropout,
            head_bias=head_bias,
        )
        kept = _named(model, () if probe else frozen)
        if init is not None:
            load_backbone(model.backbone, init)  # type: ignore[arg-type]
        elif frozen and not probe:
            messages.warn("frozen layers keep their random weights; give start weights with --init")
        if not probe:
            model.freeze(kept, norms=freeze_norm)
        pictures = DecodedImages(source.paths, messages=messages)
        items, skipped = usable_items(source, pictures, messages)
        mean, std = NORMALIZATIONS[normalization]
        about = (
            f"{len(items)} images{f' of the split {source.split!r}' if source.split else ''}, "
            f"{source.tags.shape[1]} classes, {loss}"
        )
        lesson = Lesson(pictures, items, source.tags[items], mean, std, where, messages, about)
        if probe:
            state, figures = by_probe(model, lesson, run.params)
        else:
            state, figures = by_steps(
                model,
                lesson,
                run.params,
                attention=attention_of(attention, own),
                valid=valid,
                output=output,
                identity=run.key,
                amp=amp,
                workers=workers,
            )
        summary = {"images": len(items), "skipped": skipped, "failed": len(pictures.failed), **figures}
        done = run.write(
            [state],
            arch,
            source.classes,
            source.classes.foreground,
            summary,
            mean=mean,
            std=std,
            output_stride=output_stride,
            pool=pool,
            dropout=dropout,
            head_bias=head_bias,
            single_label=loss == "cross-entropy",
            image_size=image_size,
        )
    check_failed(done["failed"], max_failed)
    return done


def _own_options(attention: str | None, settings: Sequence[str] | None) -> dict[str, Any]:
    if attention:
        own = ATTENTIONS.settings(attention, settings or ())
        ATTENTIONS.load(attention)(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1), 0, **own)  # judges their range
        return own
    if settings:
        raise UsageError(f"--set {settings[0]}: it sets options of --attention, which is not given")
    return {}


def _named(model: nn.Module, layers: Sequence[str]) -> list[nn.Module]:
    """The layers of ``--freeze``; a recipe may have named those of another network."""
    try:
        return [find_layer(model, name) for name in layers]
    except UsageError as error:
        raise UsageError(f"--freeze: {error}; --freeze none trains all of them") from None
