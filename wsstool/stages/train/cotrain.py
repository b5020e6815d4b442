"""Train a segmenter on pseudo-masks, or its fully supervised twin on true masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.errors import UsageError
from wsstool.family import setting_texts
from wsstool.models.heads.fcn import FCN_HEADS
from wsstool.models.segmenter import NEED_TWO_IMAGES, split_arch
from wsstool.models.weights import load_weights
from wsstool.registry import COTRAINERS
from wsstool.runtime import pick_device
from wsstool.stages.checks import backbone_rate_of, check_factor, check_failed, class_id
from wsstool.stages.inputs.label_maps import open_label_maps, open_validation
from wsstool.stages.train.fcn_stages import in_stages
from wsstool.stages.train.initial_weights import network_builder, parameter_groups, start_input
from wsstool.stages.train.layer_weights import layer_weights
from wsstool.stages.train.linear_probe import PROBE_PARAMS, check_probe, solve
from wsstool.stages.train.run import TrainingRun
from wsstool.stages.train.segmenter_training import by_steps, fitting_crop
from wsstool.stages.train.validation import MeanIou
from wsstool.training.cotraining.segmentation_task import Setup
from wsstool.types import SILENT, Messages


def cotrain(
    source: str | Path | None = None,
    *,
    output: Path = Path("seg.pth"),
    method: str = "plain",
    settings: Sequence[str] | None = None,
    noise_rate: str | float = "auto",
    layer_weight: Sequence[str] | None = None,
    ignore_class: str | None = None,
    arch: str = "deeplabv3-mobilenet-v2",
    stage: Sequence[str] | None = None,
    init: Path | None = None,
    output_stride: int | None = None,
    width: int | None = None,
    normalization: str = "auto",
    upsampling: str = "fixed",
    images: Path | None = None,
    split: str | None = None,
    class_list: Path | None = None,
    masks: Path | None = None,
    val: Path | None = None,
    val_split: str | None = None,
    crop_size: int | None = None,
    scale_min: float = 0.5,
    scale_max: float = 2.0,
    flip: bool = True,
    color_jitter: float = 0.3,
    blur: float = 0.0,
    epochs: int = 30,
    batch_size: int = 8,
    lr: float = 0.02,
    backbone_rate: float | None = None,
    bias_rate: float | None = None,
    optimizer: str = "sgd",
    momentum: float = 0.9,
    schedule: str = "poly",
    fall_epochs: int = 0,
    warmup_epochs: float = 0.0,
    warmup_start: float | None = None,
    weight_decay: float = 1e-4,
    clip: float = 0.0,
    ema: float = 0.0,
    amp: bool = True,
    workers: int = 2,
    probe: bool = False,
    scale: Sequence[float] | None = None,
    penalty: float = 1.0,
    seed: int = 0,
    device: str = "auto",
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Train a segmenter and write its weights; nothing is done when they are up to date.

    Args:
        source: a ``mask`` file, None or ``-`` for standard input; or a data folder with true masks, for the
            fully supervised twin that pseudo-masks are compared with.
        output: weights file. ``OUTPUT.part`` holds an unfinished run, ``OUTPUT.log.jsonl`` the figures.
        method: name in ``registry.COTRAINERS``.
        settings: ``NAME=VALUE`` options of the method.
        noise_rate: share of labelled pixels that are wrong, [0, 1), or ``auto``: estimated from the
            networks' confidence after a warm-up. Only methods that select pixels use it.
        layer_weight: weight of each label map of an image, see ``layer_weights``; None: equal, sum 1.
        ignore_class: class whose pixels belong to none (white background), by name or id: the network has no
            output for it, its pixels do not count in ``val``, and ``method`` says what they do in training.
        arch: HEAD-BACKBONE, see ``build_segmenter``.
        stage: ``ARCH[=LR]`` of several runs, each started from the one before; see ``fcn_stages``.
        init: start weights: of a classifier of ours (its head is dropped), of a torchvision network, or of a
            segmenter; None: random.
        output_stride, width: see ``build_segmenter``.
        normalization: of the input: imagenet, none (colours in [0, 1]), caffe (blue, green, red in 0 to 255
            minus a mean), or auto: as the start weights say, else imagenet.
        upsampling: of FCNs: fixed, or learned: all but the last, from a bilinear start.
        images: folder of the images of a ``mask`` file.
        split, class_list, masks: of a data folder, see ``open_dataset``.
        val: data folder with true masks; the epoch with the best mean IoU on it is kept. None: the last
            epoch. With ``val_split`` alone, the folder given as ``source``.
        val_split: part of that folder.
        crop_size: side of the training views, pixels; 0: whole images; None: what half of the images fit
            into, at most 320.
        scale_min, scale_max, flip, color_jitter, blur: see ``RandomCrop``.
        epochs, batch_size, lr, optimizer, momentum, schedule, fall_epochs, warmup_epochs, warmup_start,
            weight_decay, clip, ema, amp, seed: see ``training.plan.Plan``. A last batch of a single image is
            left out.
        backbone_rate: learning rate of the backbone relative to the head's; 0: frozen; None: 0.1 with
            ``init``, else 1.
        bias_rate: learning rate of biases relative to weights; they then have no weight decay.
        workers: processes that prepare images.
        probe: fit a linear head exactly on the frozen start weights, at all ``scale`` (None: 1) with
            ``penalty``, see ``training.pixel_probe``; options of step-wise training then have no effect.
        device: auto, cpu, cuda, cuda:N or mps.
        max_failed: images that may be unreadable or without a mask; they are left out in any case.
        force: train although the output is up to date.
        messages: told what happens.

    Returns:
        ``output``, ``key``, ``supervision``, ``images`` (trained on), ``failed``, ``up_to_date``, and the
        figures of the epoch that is kept.

    Raises:
        BadInputError: no labelled pixel, start weights of another network, another class list in ``val``.
        SomeFailedError: more than ``max_failed`` images failed; the weights are written.
        UsageError, MissingInputError, BusyError, CannotWriteError: see the parts.
    """
    if stage:
        return in_stages(cotrain, locals())
    output = Path(output)
    head, backbone = split_arch(arch)
    arch = f"{head}-{backbone}"
    make = COTRAINERS.load(method)
    own = COTRAINERS.settings(method, settings or ())
    rate = _rate(noise_rate)
    if batch_size < 2 and head in NEED_TWO_IMAGES:
        raise UsageError(f"{head} normalises over the batch and needs --batch-size 2 or more")
    if upsampling == "learned" and head not in FCN_HEADS:
        raise UsageError(f"--upsampling learned is for {', '.join(FCN_HEADS)}; {head} interpolates")
    check_factor("--bias-rate", bias_rate)
    if warmup_start is not None and not 0 <= warmup_start <= 1:
        raise UsageError(f"--warmup-start {warmup_start:g}: a share of the rate, from 0 to 1")
    data = open_label_maps(source, images, split, class_list, masks, messages)
    valid = open_validation(source, data, val, val_split, class_list)
    excluded = class_id(ignore_class, data.classes)
    ids = [i for i in range(len(data.classes)) if i != excluded]
    crop_size = fitting_crop(crop_size, data.sizes[data.numbers], batch_size, scale_min, scale_max)
    start = load_weights(init) if init else None
    seen = start_input(normalization, start, init)
    backbone_rate = backbone_rate_of(backbone_rate, init)
    params: dict[str, Any] = {
        "method": method,
        "set": setting_texts(own),
        "noise_rate": rate if "pool" in COTRAINERS.own_options(method) else None,  # only selection uses it
        "layer_weight": layer_weights(layer_weight, data.layers),
        "ignore_class": ignore_class,
        "arch": arch,
        "output_stride": output_stride,
        "width": width,
        "normalization": normalization,
        "upsampling": None if upsampling == "fixed" else upsampling,
        "split": split,
        "class_list": class_list,
        "masks": masks,
        "val_split": val_split,
        "crop_size": crop_size,
        "scale_min": scale_min,
        "scale_max": scale_max,
        "flip": flip,
        "color_jitter": color_jitter,
        "blur": blur,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "backbone_rate": backbone_rate,
        "bias_rate": bias_rate,
        "optimizer": optimizer,
        "momentum": None if momentum == 0.9 else momentum,
        "schedule": schedule,
        "fall_epochs": fall_epochs,
        "warmup_epochs": warmup_epochs,
        "warmup_start": warmup_start,
        "weight_decay": weight_decay,
        "clip": clip,
        "ema": ema,
        "seed": seed,
    }
    scales = list(scale or (1.0,))
    if probe:
        check_probe(head, init, valid is not None, scales, penalty)
        params = {k: v for k, v in params.items() if k in PROBE_PARAMS}
        params |= {"probe": True, "scale": scales, "penalty": penalty}
    inputs = [*data.inputs, *(valid.inputs if valid else ())]
    if init and start:
        inputs.append(store.Input.of_file(init, role="init", provenance=start.meta.get("provenance", ())))
    run = TrainingRun.of("cotrain", "segmentation", output, params, inputs)

    with run.held(force=force, max_failed=max_failed, messages=messages) as earlier:
        if earlier:
            return earlier
        where = pick_device(device)
        mean, std = seen["mean"], seen["std"]
        names = [data.classes.names[i] for i in ids]
        setup = Setup(
            build=network_builder(
                arch,
                names,
                start,
                init,
                output_stride=output_stride,
                width=width,
                channel_order=seen["channel_order"],
                upsampling=upsampling,
                seed=seed,
                frozen=probe or backbone_rate == 0,
                messages=messages,
            ),
            class_names=names,
            background=ids.index(data.classes.background) if data.classes.background in ids else -1,
            class_ids=ids,
            excluded=excluded,
            layer_weights=params["layer_weight"],
            layers=data.layers,
            noise_rate=None if isinstance(rate, str) else rate,
            groups=partial(parameter_groups, backbone_rate=backbone_rate, bias_rate=bias_rate),
            validate=(
                MeanIou(valid, mean, std, batch_size, workers, ids=ids, excluded=excluded, messages=messages)
                if valid
                else None
            ),
            mean=mean,
            std=std,
            messages=messages,
        )
        if probe:
            learned = solve(setup, data, arch, scales, penalty, seed, where)
        else:
            learned = by_steps(
                partial(make, **own),
                setup,
                data,
                run.params,
                output=output,
                identity=run.key,
                amp=amp,
                workers=workers,
                device=where,
            )
        done = run.write(
            [network.state_dict() for network in learned.networks],
            arch,
            data.classes,
            ids,
            {
                "supervision": data.supervision,
                "images": learned.used,
                "failed": learned.failed,
                **learned.figures,
            },
            **{k: v for k, v in seen.items() if v != "rgb"},
            output_stride=learned.networks[0].backbone.stride,  # type: ignore[union-attr]
            width=width,
            image_size=crop_size,
            method="probe" if probe else method,
            supervision=data.supervision,
        )
    check_failed(done["failed"], max_failed)
    return done


def _rate(noise_rate: str | float) -> str | float:
    if noise_rate == "auto":
        return "auto"
    try:
        rate = float(noise_rate)
    except ValueError:
        raise UsageError(f"--noise-rate {noise_rate}: auto, or a number in [0, 1)") from None
    if not 0 <= rate < 1:
        raise UsageError(f"--noise-rate {noise_rate}: auto, or a number in [0, 1)")
    return rate
