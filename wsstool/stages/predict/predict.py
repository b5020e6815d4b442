"""``predict``: label maps of images, or the masks of boxes or sentences."""

from __future__ import annotations

from typing import Any

from wsstool.errors import BadInputError, UsageError
from wsstool.models.weights import load_weights
from wsstool.options import takes
from wsstool.stages.checks import only
from wsstool.stages.networks.referring import no_language, reads
from wsstool.stages.options.predict import (
    LabelMapOptions,
    ObjectMaskOptions,
    PredictOptions,
    SentenceMaskOptions,
)
from wsstool.stages.predict.label_maps import predict_label_maps
from wsstool.stages.predict.objects import predict_objects
from wsstool.stages.predict.sentences import predict_sentences
from wsstool.types import SILENT, Messages


@takes(PredictOptions)
def predict(options: PredictOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Predict the masks of sentences or boxes with networks for these or with ``boxes``, else label maps.

    Returns:
        ``images``, ``failed`` and ``key``; for masks of boxes and sentences more, see ``predict_objects`` and
        ``predict_sentences``.

    Raises:
        UsageError: an option that has no meaning for this kind of output, or a setting without a refiner.
        BadInputError: sentences for a network without language.
            Others: see ``predict_label_maps``, ``predict_objects`` and ``predict_sentences``.
    """
    if options.settings and not options.refine:
        raise UsageError("--set sets options of a refiner; choose one with --refine")
    loaded = load_weights(options.weights)
    why = "does not apply to {}, which these weights and options produce"
    if reads(loaded):
        own = only(SentenceMaskOptions, options, why.format("masks of sentences"))
        return predict_sentences(own, loaded, messages)
    for name in ("expression", "expressions"):
        if getattr(options, name) is not None:
            raise BadInputError(no_language(options.weights, f"--{name}"))
    if loaded.meta.get("task") == "contour" or options.boxes is not None:
        return predict_objects(only(ObjectMaskOptions, options, why.format("masks of boxes")), messages)
    return predict_label_maps(only(LabelMapOptions, options, why.format("label maps")), messages)
