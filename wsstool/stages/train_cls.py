"""Train a classifier on image-level tags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from wsstool import store
from wsstool.data.transforms import RandomResizedCrop
from wsstool.errors import SomeFailedError, UsageError
from wsstool.models.backbones import default_output_stride
from wsstool.models.classifier import build_classifier
from wsstool.models.weights import load_backbone, save_weights
from wsstool.runtime import pick_device, seed_everything
from wsstool.stages.tagged import open_tagged, open_validation, usable_items
from wsstool.stages.written import up_to_date
from wsstool.training.checkpoint import only_writer, part_path
from wsstool.training.classify import ClassificationTask
from wsstool.training.loader import EpochLoader
from wsstool.training.loop import Plan, finish, fit
from wsstool.training.probe import probe as fit_probe
from wsstool.training.tagged_images import Pictures, TaggedImages
from wsstool.types import SILENT, Messages

NORMALIZATIONS: dict[str, tuple[list[float], list[float]]] = {
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "none": ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
}
"""Mean and standard deviation of the input channels, for images in [0, 1]."""

PROBE_PARAMS = ("arch", "output_stride", "pool", "normalization", "split", "labels", "class_list", "loss")
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
    lr: float = 1e-3,
    backbone_rate: float | None = None,
    optimizer: str = "adamw",
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
        normalization: of the input: imagenet or none.
        split: images to train on; None: the split ``train`` if there is one, else all.
        val_split: images whose mean average precision chooses the epoch that is kept; None: the last epoch.
        labels, class_list: see ``open_dataset``.
        images: folder with the images of a record file.
        image_size: side of the training views, pixels.
        area: least share of the image that a view shows, (0, 1].
        flip, flip_vertical, color_jitter: see ``RandomResizedCrop``.
        epochs, batch_size, lr, optimizer, schedule, warmup_epochs, weight_decay, clip, ema, amp, seed: see
            ``Plan``.
        backbone_rate: learning rate of the backbone relative to the head's; 0: frozen; None: 0.1 with
            ``init``, else 1.
        loss: soft-margin (each class on its own), cross-entropy (one class excludes the others), or auto:
            cross-entropy when every image has exactly one tag.
        probe: train the head alone, exactly, on pooled features of the frozen start weights at all ``scale``
            (None: 1) with ``penalty``, ``balanced`` and ``intercept``, see ``training.probe``;
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
    source = open_tagged(Path(data), split, labels, class_list, images)
    valid = open_validation(Path(data), val_split, labels, class_list, source.classes)
    if output_stride is None:
        output_stride = default_output_stride(arch)
    backbone_rate = (0.1 if init else 1.0) if backbone_rate is None else backbone_rate
    if loss == "auto":
        loss = "cross-entropy" if (source.tags.sum(1) <= 1).all() else "soft-margin"
    params: dict[str, Any] = {
        "arch": arch,
        "output_stride": output_stride,
        "pool": pool,
        "dropout": dropout,
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
        "lr": lr,
        "backbone_rate": backbone_rate,
        "optimizer": optimizer,
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
        if penalty <= 0 or min(scales) <= 0:
            raise UsageError("--penalty and --scale must be above 0")
        params = {k: v for k, v in params.items() if k in PROBE_PARAMS}
        params |= {"probe": True, "scale": scales, "penalty": penalty, "balanced": balanced}
        params["intercept"] = intercept
    params = {k: str(v) if isinstance(v, Path) else v for k, v in params.items() if v is not None}
    inputs = [*source.inputs, *(valid.inputs if valid else ())]
    if init is not None:
        inputs.append(store.Input.of_file(Path(init), role="init"))
    key = store.key_of("train-cls", params, inputs)

    with only_writer(output):
        if not force and (found := up_to_date(output, key, params, messages, task="classification")):
            _check_failed(found["failed"], max_failed)
            return found
        if force:
            part_path(output).unlink(missing_ok=True)
        where = pick_device(device)
        view = RandomResizedCrop(image_size, (area, 1.0), flip, flip_vertical, color_jitter)
        seed_everything(seed)
        model = build_classifier(
            arch, source.tags.shape[1], output_stride=output_stride, pool=pool, dropout=dropout
        )
        if init is not None:
            load_backbone(model.backbone, init)  # type: ignore[arg-type]
        pictures = Pictures(source.paths, messages=messages)
        items, skipped = usable_items(source, pictures, messages)
        tags = source.tags[items]
        mean, std = NORMALIZATIONS[normalization]
        part = f" of the split '{source.split}'" if source.split else ""
        if probe:
            messages.say(
                f"fitting the head of {arch} on {len(items)} images{part}, {tags.shape[1]} classes, {loss}"
            )
            right = fit_probe(
                model.to(where, memory_format=torch.channels_last),  # type: ignore[call-overload]
                pictures,
                items,
                torch.from_numpy(tags).float(),
                mean=mean,
                std=std,
                scales=scales,
                penalty=penalty,
                balanced=balanced,
                intercept=intercept,
                single_label=loss == "cross-entropy",
                messages=messages,
            )
            state, figures = model.state_dict(), {"tags_right": round(right, 6)}
        else:
            validation = None
            if valid:
                val_pictures = Pictures(valid.paths, messages=messages)
                val_items, _ = usable_items(valid, val_pictures, messages)
                validation = (val_pictures, val_items, valid.tags[val_items])
            task = ClassificationTask(
                model,
                mean=mean,
                std=std,
                loss=loss,
                label_smoothing=label_smoothing,
                positive_weight=positive_weight,
                backbone_rate=backbone_rate,
                validation=validation,
                longest=2 * image_size + 64,
            )
            loader = EpochLoader(
                TaggedImages(pictures, tags, items, view, seed=seed),
                batch_size,
                seed=seed,
                workers=workers,
                pin_memory=where.type == "cuda",
            )
            plan = Plan(
                epochs=epochs,
                lr=lr,
                optimizer=optimizer,
                schedule=schedule,
                warmup_epochs=warmup_epochs,
                weight_decay=weight_decay,
                clip=clip,
                ema=ema,
                amp=amp,
                select="map" if valid else "",
                seed=seed,
            )
            messages.say(f"training {arch} on {len(items)} images{part}, {tags.shape[1]} classes, {loss}")
            result = fit(task, loader, plan, output=output, identity=key, device=where, messages=messages)
            best = result.history[result.best_epoch]
            state, figures = result.states["model"], {k: v for k, v in best.items() if k != "seconds"}
        classes = source.classes
        summary = {
            "images": len(items),
            "skipped": skipped,
            "failed": len(pictures.failed),
            **figures,
        }
        meta = {
            "arch": arch,
            "task": "classification",
            "classes": list(classes.names),
            "class_ids": list(classes.foreground),
            "background": classes.background,
            "palette": [list(colour) for colour in classes.palette],
            "mean": mean,
            "std": std,
            "output_stride": output_stride,
            "pool": pool,
            "dropout": dropout,
            "single_label": loss == "cross-entropy",
            "image_size": image_size,
            "key": key,
            "params": params,
            "summary": summary,
            "provenance": store.history("train-cls", params, inputs),
        }
        save_weights(output, state, meta)
        finish(output)
    _check_failed(len(pictures.failed), max_failed)
    return {"output": str(output), "key": key, "up_to_date": False, **summary}


def _check_failed(failed: int, max_failed: int) -> None:
    if failed > max_failed:
        raise SomeFailedError(
            f"{failed} images are unreadable and were left out; --max-failed allows {max_failed}"
        )
