"""Methods on arrays in memory: class maps, refiners, label maps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from wsstool.api.maps import ClassMaps
from wsstool.api.pixels import as_pixels, as_scores
from wsstool.argument_types import checked
from wsstool.cams import Probabilities, multiscale
from wsstool.errors import ArgumentError, UsageError
from wsstool.family import Registry, setting_texts
from wsstool.masks.method import Method
from wsstool.masks.normalise import usual_mode
from wsstool.regions import Proposals
from wsstool.registry import CAMS, REFINERS, RULES
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.refiners import find_refiner, guides_of


class Family:
    """The methods of a registry as functions: ``family.NAME(...)``, with ``_`` in place of ``-``."""

    def __init__(self, name: str, registry: Registry, call: Callable[..., Any]) -> None:
        self.__name__, self._registry, self._call = name, registry, call
        self.__doc__ = inspect.getdoc(call)

    def __dir__(self) -> list[str]:
        return sorted(self._names())

    def __repr__(self) -> str:
        return f"<wsstool.{self.__name__}: {', '.join(dir(self))}>"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        names = self._names()
        if name not in names:
            raise AttributeError(f"wsstool.{self.__name__} has no method '{name}'; it has {', '.join(names)}")
        function = partial(self._call, names[name])
        own = self._registry.own_options(names[name]).values()
        parameters = list(inspect.signature(self._call).parameters.values())[1:-1]
        function.__doc__ = inspect.getdoc(self._registry.load(names[name]))
        function.__signature__ = inspect.Signature([*parameters, *own])  # type: ignore[attr-defined]
        return function

    def _names(self) -> dict[str, str]:
        return {one.replace("++", "_plus_plus").replace("-", "_"): one for one in self._registry}


@checked
def class_maps(
    method: str,
    network: nn.Module,
    image: Any,
    targets: Sequence[int | str] | None = None,
    *,
    layer: str | None = None,
    scale: float | Sequence[float] = 1.0,
    flip: bool = False,
    rectify: bool | None = None,
    **own: Any,
) -> ClassMaps:
    """Compute the class activation maps of one image: ``ws.cams.NAME(network, image, targets)``.

    NAME is a method of ``wsstool cam --method``, with ``_plus_plus`` for ``++``.

    Args:
        network: a classifier from ``load_classifier``.
        image: (H, W, 3) uint8 array, or a Pillow image.
        targets: the K classes that get a map, as class ids or names; None: all.
        layer: layer to read the maps from; None: the last.
        scale: image scale, or several, over which the maps are summed, > 0.
        flip: sum with the horizontally flipped image.
        rectify: keep only the positive part of each pass; None: if several passes are summed.
        own: options of the method.

    Returns:
        ``ClassMaps``: ``data`` (K, h, w) float32 in raw scale, ``class_ids``, ``classes``, and the
        ``normalisation`` that suits them.

    Raises:
        ArgumentError: an image of another shape or type, a class that the network does not have, a network
            that ``load_classifier`` did not load, or an option that the method does not have.
    """
    if not hasattr(network, "class_ids"):
        raise ArgumentError("network: it lacks attributes that load_classifier sets; load it with that")
    x = network.prepare(image)  # type: ignore[operator]
    outputs = _outputs(network, targets)
    asked = torch.zeros(1, len(network.class_ids), dtype=torch.bool)  # type: ignore[arg-type]
    asked[0, outputs] = True
    scales = (scale,) if isinstance(scale, float) else tuple(scale)
    keywords = CAMS.keywords(method, own)
    if CAMS.takes(method, "single_label"):
        keywords["single_label"] = getattr(network, "single_label", False)
    found = multiscale(
        partial(CAMS.load(method), **keywords),
        network,
        x,
        asked.to(x.device),
        (layer or str(network.default_layer),),
        scales=scales,
        flip=flip,
        rectify=(len(scales) > 1 or flip) if rectify is None else rectify,
    )
    ids = np.array(network.class_ids)[outputs]
    rows, columns = x.shape[2:]
    maps = found.maps[0][0, outputs].detach().float().cpu().numpy()
    return ClassMaps(
        maps,
        ids,
        (rows, columns),
        network.classes,  # type: ignore[arg-type]
        network.background,  # type: ignore[arg-type]
        "none" if isinstance(found, Probabilities) else None,
    )


def _outputs(network: Any, targets: Sequence[int | str] | None) -> list[int]:
    """The outputs of a network that stand for classes."""
    ids = list(network.class_ids)
    if targets is None:
        return list(range(len(ids)))
    found = []
    for one in targets:
        known = one in network.classes if isinstance(one, str) else one in ids
        number = network.classes.index(one) if known and isinstance(one, str) else one
        if number not in ids:
            names = ", ".join(f"{i} {network.classes[i]}" for i in ids)
            raise ArgumentError(f"targets: the network has no class {one!r}; it has {names}")
        found.append(ids.index(number))
    return found


@checked
def refined(method: str, image: Any, scores: Any, **own: Any) -> np.ndarray:
    """Sharpen score maps along the edges of the image: ``ws.refine.NAME(image, scores)``.

    NAME is a method of ``wsstool pseudo-mask --refine``, with ``_`` in place of ``-``.

    Args:
        image: (H, W, 3) uint8 array, or a Pillow image.
        scores: (K, H, W) in [0, 1], background included; an array or a tensor.
        own: options of the method; for the softmax output of a segmenter, ``crf`` takes
            ``unary="probabilities"``. Methods that read more take it here too: ``regions``, the ``Proposals``
            of the image, or ``features``, an (F, h, w) array.

    Returns:
        (K, H, W) float32.

    Raises:
        ArgumentError: an image of another shape or type, scores that are no numbers, or an option that the
            method does not have.
        BadInputError: scores of another size, or that are not finite.
        UsageError: an option's value.
    """
    refine, guides = _refiner(method, own)
    return refine(as_scores(scores, "scores"), as_pixels(image), **guides)  # type: ignore[no-any-return]


def _refiner(
    method: str, own: Mapping[str, Any], *, of_probabilities: bool = False
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A refiner with its options bound, which override those of a ``preset``; and what else it reads."""
    guides = {name: own[name] for name in guides_of([method]) if name in own}
    if "regions" in guides and not isinstance(guides["regions"], Proposals):
        raise ArgumentError("regions: give the Proposals of the image, such as those of a proposal record")
    if "features" in guides:
        guides["features"] = as_scores(guides["features"], "features")
    own = {key: value for key, value in own.items() if key not in guides}
    own = {key: value for key, value in REFINERS.keywords(method, own).items() if value != ""}
    texts = sorted(setting_texts(own), key=lambda text: not text.startswith("preset="))
    refiner, _ = find_refiner(method, texts, of_probabilities=of_probabilities, guides=guides)
    assert refiner is not None
    return refiner, guides


cams = Family("cams", CAMS, class_maps)
refine = Family("refine", REFINERS, refined)


@checked
def label_map(
    maps: Any,
    image: Any = None,
    *,
    refine: str | None = None,
    rule: str = "argmax",
    normalise: str = "auto",
    background: str | int = "auto",
    background_threshold: float = 0.3,
    ignore_margin: float = 0.0,
    ignore_below: float = 0.0,
    class_ids: Sequence[int] | None = None,
    **own: Any,
) -> np.ndarray:
    """Turn the class maps of one image into a label map.

    Args:
        maps: ``ClassMaps``, or a (K, h, w) array or tensor.
        image: (H, W, 3) uint8 array, or a Pillow image; needed for ``refine``.
        refine: a method of ``wsstool pseudo-mask --refine``; None: the maps decide alone.
        rule: a method of ``wsstool pseudo-mask --rule``.
        normalise: how maps are brought to [0, 1]: ``joint``, ``class``, ``minmax``, ``probability`` or
            ``none``; ``auto``: ``none`` for token maps, ``probability`` for maps from ``predict``, ``minmax``
            for the rule ``multilayer``, ``class`` before ``crf``, else ``joint``.
        background: class id of the background; ``auto``: that of the maps, 0 for an array; ``none``: every
            pixel belongs to a class with a map.
        background_threshold: score of the background where the maps have none, [0, 1].
        ignore_margin: pixels whose best score is less than this above the second become 255, [0, 1].
        ignore_below: pixels of objects on which all maps are below this share of the greatest value become
            255, [0, 1].
        class_ids: class id of each map of an array; None: 1, 2, ...
        own: options of the refiner or the rule.

    Returns:
        (H, W) uint8 class ids, of the size of the image; 255 where nothing is decided.

    Raises:
        UsageError: an option's value, or a refiner without an image.
        BadInputError: maps that are not finite, or a class id above 254.
        ArgumentError: maps or an image of another shape or type, or an option that neither the refiner nor
            the rule has.
    """
    data = as_scores(maps, "maps")
    given = maps if isinstance(maps, ClassMaps) else None
    ids = np.arange(1, len(data) + 1) if class_ids is None else np.asarray(class_ids)
    ids = given.class_ids if given and class_ids is None else ids
    check_fits_label_map(ids)
    if len(ids) != len(data):
        raise ArgumentError(f"class_ids: {len(ids)} for {len(data)} maps")
    known = given.background if given else 0
    if refine is not None and image is None:
        raise UsageError(f"refine='{refine}' needs the image")
    pixels = None if image is None else as_pixels(image)
    size = pixels.shape[:2] if pixels is not None else given.size if given else data.shape[1:]
    for_rule = {key: own.pop(key) for key in list(own) if key in RULES.own_options(rule)}
    if own and refine is None:
        raise ArgumentError(f"these options need refine: {', '.join(own)}")
    is_gated = RULES.takes(rule, "tags")
    if normalise == "auto":
        normalise = usual_mode(refine, given.normalisation if given else None, gated=is_gated)
    if background == "auto":
        used = -1 if is_gated else known  # tags leave no pixel over for a background
    elif background == "none":
        used = -1
    elif isinstance(background, int):
        used = background
    else:
        raise ArgumentError(f"background {background!r}: give a class id, auto or none")
    refiner: Callable[..., Any] | None = None
    guides: dict[str, Any] = {}
    if refine is not None:
        refiner, guides = _refiner(refine, own, of_probabilities=normalise == "probability")
    method = Method(
        rule=partial(RULES.load(rule), **RULES.keywords(rule, for_rule)),
        gated=is_gated,
        refine=refiner,
        normalise=normalise,
        background=used,
        forbidden=known if used < 0 and given else -1,
        threshold=background_threshold,
        ignore_margin=ignore_margin,
        ignore_below=ignore_below,
    )
    return method.label_map(data, ids, (int(size[0]), int(size[1])), pixels, ids, guides)
