"""``predict``: label maps of images, or the masks of boxes."""

from __future__ import annotations

from typing import Any

from wsstool.errors import UsageError
from wsstool.models.weights import load_weights
from wsstool.options import takes
from wsstool.stages.checks import only
from wsstool.stages.options.predict import LabelMapOptions, ObjectMaskOptions, PredictOptions
from wsstool.stages.predict.label_maps import predict_label_maps
from wsstool.stages.predict.objects import predict_objects
from wsstool.types import SILENT, Messages


@takes(PredictOptions)
def predict(options: PredictOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Predict the masks of boxes with a contour network or with ``boxes``, else label maps.

    Returns:
        ``images``, ``failed`` and ``key``; for masks of boxes more, see ``predict_objects``.

    Raises:
        UsageError: an option that has no meaning for this kind of output, or a setting without a refiner.
            Others: see ``predict_label_maps`` and ``predict_objects``.
    """
    if options.settings and not options.refine:
        raise UsageError("--set sets options of a refiner; choose one with --refine")
    is_contour_network = load_weights(options.weights).meta.get("task") == "contour"
    why = "does not apply to {}, which these weights and options produce"
    if is_contour_network or options.boxes is not None:
        return predict_objects(only(ObjectMaskOptions, options, why.format("masks of boxes")), messages)
    return predict_label_maps(only(LabelMapOptions, options, why.format("label maps")), messages)
