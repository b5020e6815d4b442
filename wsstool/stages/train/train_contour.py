"""Train a contour network on boxes: one map an object, no mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from wsstool import store
from wsstool.data.augmentation.box_windows import ObjectViews
from wsstool.data.boxes.table import BoxTable
from wsstool.errors import BadInputError, UsageError
from wsstool.models.contour import ContourNet, build_contour, start_contour
from wsstool.models.weights import Weights, load_weights
from wsstool.runtime import pick_device
from wsstool.stages.checks import backbone_rate_of, check_failed
from wsstool.stages.inputs.boxes import Boxed, open_boxed
from wsstool.stages.train.box_loss_terms import loss_terms
from wsstool.stages.train.initial_weights import start_normalisation
from wsstool.stages.train.object_masks import SelectedMasks, TrueMasks
from wsstool.stages.train.run import TrainingRun
from wsstool.store.provenance import canonical_json, digest
from wsstool.training.contour_task import ContourTask
from wsstool.training.epoch_loader import EpochLoader
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.training.images.object_images import ObjectImages
from wsstool.training.loop import fit
from wsstool.training.losses.box_targets import check_slack
from wsstool.training.plan import Plan
from wsstool.types import SILENT, Messages

DEFAULT_LOSSES = ("tightness=2", "pairwise=1")
"""What fills the object; with ``zero`` instead of ``pairwise`` the map is its outline."""

VIEWS = 8000
"""Views of objects in a training, where the number of epochs is not given: 500 steps of 16."""

FEWEST_EPOCHS = 5


def train_contour(
    data: Path,
    *,
    output: Path = Path("contour.pth"),
    boxes: Path | None = None,
    box_format: str = "auto",
    loss: Sequence[str] | None = None,
    settings: Sequence[str] | None = None,
    box_slack: float = 0.0,
    selection: Path | None = None,
    min_score: float = 0.0,
    window: str = "box",
    margin_min: float = 0.05,
    margin_max: float = 0.6,
    crop_size: int = 128,
    condition: str = "none",
    arch: str = "mobilenet-v2",
    init: Path | None = None,
    width: int = 64,
    frozen_stride: int = 0,
    normalization: str = "auto",
    split: str | None = None,
    class_list: Path | None = None,
    flip: bool = True,
    color_jitter: float = 0.0,
    epochs: int | None = None,
    views: int = VIEWS,
    batch_size: int = 16,
    lr: float = 2e-3,
    backbone_rate: float | None = None,
    optimizer: str = "adamw",
    schedule: str = "poly",
    warmup_epochs: float = 0.0,
    weight_decay: float = 1e-2,
    clip: float = 0.0,
    ema: float = 0.0,
    amp: bool = True,
    workers: int = 2,
    seed: int = 0,
    device: str = "auto",
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Train a network that maps one object, from boxes alone; nothing is done when it is up to date.

    Args:
        data: data folder.
        output: weights file. ``OUTPUT.part`` holds an unfinished run, ``OUTPUT.log.jsonl`` the figures.
        boxes, box_format: see ``data.boxes.table.read_boxes``.
        loss: ``NAME=WEIGHT`` or ``NAME`` of ``registry.BOX_LOSSES``, summed; None: ``DEFAULT_LOSSES``.
        settings: ``NAME=VALUE`` options of these losses.
        box_slack: for loose boxes, see ``training.losses.box_targets.box_target``.
        selection: a ``selection`` file, whose masks the loss ``mask`` learns from; None: the true masks of
            the box file (the fully supervised twin).
        min_score: masks of ``selection`` below this quality score are not learned from, [0, 1].
        window, margin_min, margin_max, crop_size, flip, color_jitter: see ``ObjectViews``.
        condition: what tells the object: ``none``, or the ``class`` of the box.
        arch, width: see ``models.contour.build_contour``.
        init: start weights: of a backbone, or of a contour network; None: random. The batch norms of
            a backbone with start weights stay as they are.
        frozen_stride: with start weights, parts of the backbone up to this stride stay as they are, too; 0:
            none. Stride 4 saves a tenth of the work and costs about a point of IoU on photographs.
        normalization: as in ``cotrain``.
        split: part to train on; None: ``train`` if there is one, else all.
        class_list: see ``open_dataset``.
        epochs: each shows every object once; None: as many as make ``views``, at least ``FEWEST_EPOCHS``.
        views: of objects, in the whole training, at least 1: one number for sets of any size.
        lr, optimizer, schedule, warmup_epochs, weight_decay, clip, ema, amp, seed: see ``Plan``.
        batch_size: objects a step.
        backbone_rate: learning rate of the backbone relative to the rest; 0: frozen; None: 0.1 with
            ``init``, else 1.
        workers: processes that prepare views.
        device: auto, cpu, cuda, cuda:N or mps.
        max_failed: images that may be unreadable; they are left out in any case.
        force: train although the output is up to date.
        messages: told what happens.

    Returns:
        ``output``, ``key``, ``supervision``, ``objects`` and ``images`` (trained on), ``dropped`` (boxes),
        ``failed``, ``up_to_date``, and the losses of the last epoch.

    Raises:
        BadInputError: less than two objects, no masks for the loss ``mask``, start weights that do not fit.
        SomeFailedError: more than ``max_failed`` images are unreadable; the weights are written.
        UsageError, MissingInputError, BusyError, CannotWriteError: see the parts.
    """
    output = Path(output)
    terms, described, own = loss_terms(loss or DEFAULT_LOSSES, settings or ())
    check_slack(box_slack)
    has_mask_loss = any(term.name == "mask" for term in terms)
    if selection is not None and not has_mask_loss:
        raise UsageError("--selection gives masks to the loss 'mask'; add --loss mask")
    if not 0 <= min_score <= 1:
        raise UsageError(f"--min-score {min_score:g}: from 0 to 1")
    if views < 1:
        raise UsageError(f"--views {views}: at least 1")
    if condition not in ("none", "class"):
        raise UsageError(f"--condition {condition}: none or class")
    view = ObjectViews(crop_size, window, (margin_min, margin_max), flip, color_jitter)
    source = open_boxed(
        Path(data),
        boxes=boxes,
        box_format=box_format,
        split=split,
        class_list=class_list,
        training=True,
        messages=messages,
    )
    if epochs is None:
        epochs = max(FEWEST_EPOCHS, round(views / max(1, int(source.table.counts.sum()))))
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
        seed=seed,
    )
    masks = _mask_source(source, selection, min_score) if has_mask_loss else None
    start = load_weights(init) if init else None
    backbone_rate = backbone_rate_of(backbone_rate, init)
    params: dict[str, Any] = {
        "box_format": box_format if box_format != "auto" else None,
        "loss": described,
        "set": own or None,
        "box_slack": box_slack,
        "min_score": min_score if selection else None,
        "window": window,
        "margin_min": margin_min if window == "box" else None,
        "margin_max": margin_max if window == "box" else None,
        "crop_size": crop_size,
        "condition": condition,
        "arch": arch,
        "width": width,
        "frozen_stride": frozen_stride if init else None,
        "normalization": normalization,
        "split": source.split,
        "class_list": class_list,
        "flip": flip,
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
        "seed": seed,
    }
    inputs = list(source.inputs)
    supervision = "boxes"
    if isinstance(masks, SelectedMasks):
        inputs.append(masks.input)
        supervision = "selected masks"
    elif masks is not None:
        inputs.append(_fingerprint(source.table))
        supervision = "true masks"
    if init and start:
        inputs.append(store.Input.of_file(init, role="init", provenance=start.meta.get("provenance", ())))
    run = TrainingRun.of("train-contour", "contour", output, params, inputs)

    with run.held(force=force, max_failed=max_failed, messages=messages) as earlier:
        if earlier:
            return earlier
        where = pick_device(device)
        dataset, table = source.dataset, source.table
        pictures = DecodedImages([dataset.path(i) for i in range(len(dataset))], messages=messages)
        for i, reason in sorted(pictures.failed.items()):
            messages.warn(f"left out: {dataset.names[i]}: {reason}")
        objects = [one for one in source.objects() if one.picture not in pictures.failed]
        if masks is not None:
            known = masks.known(objects)
            if not known:
                raise BadInputError("the loss 'mask' has not a single mask to learn from")
            if len(terms) == 1 and len(known) < len(objects):
                messages.say(f"{len(objects) - len(known)} objects without a mask are left out")
                objects = known
        if len(objects) < 2:
            raise BadInputError(f"{len(objects)} usable boxes are too few to train on")
        mean, std = start_normalisation(normalization, start)
        network = _network(
            arch, width, condition, len(table.classes), start, init, seed, backbone_rate, frozen_stride
        )
        shown = len({one.picture for one in objects})
        messages.say(
            f"training {arch} on the {supervision} of {len(objects)} objects in {shown} images, "
            f"{' + '.join(described)}, views of {crop_size} pixels"
        )
        loader = EpochLoader(
            ObjectImages(pictures.__getitem__, objects, view, masks=masks, seed=seed),
            batch_size,
            seed=seed,
            workers=workers,
            pin_memory=where.type == "cuda",
        )
        task = ContourTask(network, terms, mean=mean, std=std, slack=box_slack, backbone_rate=backbone_rate)
        result = fit(task, loader, plan, output=output, identity=run.key, device=where, messages=messages)
        summary = {
            "supervision": supervision,
            "objects": len(objects),
            "images": shown,
            "dropped": dict(table.dropped),
            "failed": len(pictures.failed),
            **result.history[result.best_epoch],
        }
        done = run.write(
            [result.states["network"]],
            arch,
            table.classes,
            table.classes.foreground,
            summary,
            mean=mean,
            std=std,
            width=width,
            condition=condition,
            condition_size=len(table.classes) if condition == "class" else 0,
            window=window,
            image_size=crop_size,
            draws="outline" if any(term.name == "zero" for term in terms) else "object",
            supervision=supervision,
        )
    check_failed(done["failed"], max_failed)
    return done


def _mask_source(source: Boxed, selection: Path | None, min_score: float) -> TrueMasks | SelectedMasks:
    if selection is not None:
        return SelectedMasks(selection, source.dataset, min_score)
    if not source.table.has_truth:
        raise BadInputError(
            f"{source.table.source} has no masks for the loss 'mask'; --selection names a file of them"
        )
    return TrueMasks(source.table)


def _fingerprint(table: BoxTable) -> store.Input:
    """The true masks by their content, when they are what is learned."""
    return store.Input("truth", {"fingerprint": digest(canonical_json(table.shapes))})


def _network(
    arch: str,
    width: int,
    condition: str,
    n_classes: int,
    start: Weights | None,
    init: Path | None,
    seed: int,
    backbone_rate: float,
    frozen_stride: int,
) -> ContourNet:
    torch.manual_seed(seed)
    size = n_classes if condition == "class" else 0
    network = build_contour(arch, width=width, condition=condition, condition_size=size)
    if start is not None:
        start_contour(network, start.state_dict, f"'{init}'")
        network.freeze_start(frozen_stride)
    if backbone_rate == 0:
        network.freeze_backbone()
    return network
