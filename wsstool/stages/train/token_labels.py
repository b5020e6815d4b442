"""Token labels for a student: the options, the teacher of a weights file, the terms of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.models.fan_classifier import FanClassifier
from wsstool.stages.networks.classifier import load_classifier
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.train.initial_weights import backbone_input
from wsstool.training.losses.classification import class_loss
from wsstool.training.token_terms import Labeler, PooledTokens, TokenLabels, TokenTerms
from wsstool.types import ClassList


@dataclass(frozen=True)
class Teacher:
    """The labeler of a weights file.

    Attributes:
        network: has a token head; in eval mode on the CPU.
        mean, std: of its input.
        order: its output for each foreground class of the student.
        source: the file, for the key and the history.
    """

    network: FanClassifier
    mean: Sequence[float]
    std: Sequence[float]
    order: Sequence[int]
    source: store.Input


def check_token_labels(options: TrainClsOptions) -> None:
    """Check that options of token labels come with what they need.

    Raises:
        UsageError: no token head, or no teacher.
    """
    if not options.is_student:
        return
    if not options.token_head:
        raise UsageError("--teacher and --token-labels train a token head; add --token-head")
    if options.teacher is None and options.token_labels != "online":
        raise UsageError(f"--token-labels {options.token_labels} needs the weights of a labeler: --teacher")


def open_teacher(options: TrainClsOptions, classes: ClassList) -> Teacher | None:
    """Open the labeler of ``--teacher``; None without token labels, or if the student labels itself.

    Args:
        options: of the student.
        classes: of the student; those of the teacher may come in another order.

    Raises:
        MissingInputError: no such file.
        BadInputError: not a classifier, without token head, or of other classes.
    """
    path = options.teacher
    if path is None or options.token_labels == "online":
        return None
    network, meta = load_classifier(path, classes)
    if not isinstance(network, FanClassifier) or network.head.aux_head is None:
        raise BadInputError(
            f"the teacher '{path}' has no token head; 'wsstool train-cls --recipe stl-labeler' makes one"
        )
    known = [meta["classes"][i] for i in meta["class_ids"]]
    wanted = [classes.names[i] for i in classes.foreground]
    if odd := sorted(set(known) ^ set(wanted)):
        side = "the teacher alone" if odd[0] in known else "the data alone"
        raise BadInputError(f"the teacher '{path}' has other classes than the data: '{odd[0]}' is in {side}")
    source = store.Input.of_file(path, role="teacher", provenance=meta.get("provenance", ()))
    return Teacher(network, meta["mean"], meta["std"], [known.index(name) for name in wanted], source)


def token_terms(options: TrainClsOptions, teacher: Teacher | None, device: torch.device) -> TokenTerms | None:
    """Return the loss terms of the token head; None without one.

    Args:
        options: resolved.
        teacher: labels the tokens; it is moved to the device.
        device: of the training.
    """
    if not options.token_head:
        return None
    if not options.is_student:
        measure = class_loss(
            options.loss, label_smoothing=options.label_smoothing, positive_weight=options.positive_weight
        )
        return PooledTokens(measure, weight=options.token_weight, gradient=options.token_gradient)
    if teacher is None:
        seen = backbone_input(options.normalization, options.arch)
        labeler = Labeler(seen["mean"], seen["std"])
    else:
        network = teacher.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        labeler = Labeler(teacher.mean, teacher.std, network, teacher.order)
    return TokenLabels(
        labeler,
        "gumbel" if options.token_labels == "online" else options.token_labels,  # type: ignore[arg-type]
        smoothing=options.token_smoothing,
        weight=options.dense_weight,
        growth=options.dense_growth,
        multi_label=options.loss == "soft-margin",
    )
