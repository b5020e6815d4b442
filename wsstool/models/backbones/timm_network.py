"""Backbones of timm: any of its networks that gives feature maps, under timm's names of layers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.backbones.backbone import Backbone
from wsstool.models.backbones.layout import Layout, Stage, Statistics
from wsstool.models.backbones.timm_names import imported_timm, nearest_names
from wsstool.models.backbones.token_maps import TokenMap, token_map
from wsstool.models.class_probabilities import padded
from wsstool.types import IMAGENET_MEAN, IMAGENET_STD

PREFIX = "timm:"

LAST = "output_map"
"""Name of the part that outputs the last map, after the last norm of a transformer."""

INSIDE = "network."
"""Prefix of timm's names in a backbone."""

FINER = (16, 8)
"""Strides that timm's convolutional networks can be built at, beside their own."""

CELLS = (4, 6)
"""Rows and columns of the coarsest map of the image that networks are measured with."""


class TimmBackbone(Backbone):
    """A network of timm, read through its ``forward_intermediates``.

    Transformers have one part per block, all at the stride of a patch; their class and register tokens are
    left out of the maps. Positions are interpolated to the image. An expansion of the channels that timm runs
    between the last map and its classifier (MobileNets, EfficientNets) is left out.

    Args:
        name: of timm.
        network: without its classifier, or with a last layer whose weights a checkpoint must then hold.
    """

    def __init__(self, name: str, network: nn.Module) -> None:
        super().__init__()
        self.arch, self.name = PREFIX + name, name
        self.network = network
        self.output_map = nn.Identity()
        if hasattr(network, "patch_embed"):
            self.memory_format = torch.contiguous_format
        config: Any = network.pretrained_cfg
        own = Statistics(tuple(config["mean"]), tuple(config["std"]))
        self.statistics = None if own == Statistics(IMAGENET_MEAN, IMAGENET_STD) else own
        self.stages = _measured_stages(self)
        self.input_multiple = _input_multiple(self)
        self.notes = _input_notes(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B,3,H,W) -> (B,``out_channels``,ceil(H/stride),ceil(W/stride))."""
        return self.features_of(x, (LAST,))[0]

    def features_of(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """Return the features after each of the parts ``names``, in one pass that ends there."""
        places = [stage.name for stage in self.stages]
        wanted = sorted({places.index(name) for name in names})
        x = padded(x, self.input_multiple).contiguous(memory_format=self.memory_format)
        maps = dict(zip(wanted, _maps(self.network, x, wanted), strict=True))
        last = len(places) - 1
        if last in maps:
            maps[last] = self.output_map(maps[last])
        return [maps[places.index(name)] for name in names]

    def as_map(self, output: Tensor, size: tuple[int, int]) -> TokenMap | None:
        """Return the output of a layer as a map, also that of a block of tokens."""
        sides = [-(-n // self.input_multiple) * self.input_multiple for n in size]
        strides = sorted({stage.stride for stage in self.stages})
        return token_map(output, [(-(-sides[0] // s), -(-sides[1] // s)) for s in strides])

    def layout(self) -> Layout:
        """Return what was measured when the network was built, and the other strides that it may have."""
        own = self.stride
        takes_stride = "output_stride" in inspect.signature(type(self.network).__init__).parameters
        finer = [s for s in FINER if s < own] if takes_stride else []
        return Layout(self.stages, {}, (own, *finer))

    def at_stride(self, wanted: int, layout: Layout) -> TimmBackbone:
        """Build the network again at another stride.

        Raises:
            UsageError: timm cannot.
        """
        own = layout.stages[-1].stride
        refusal = f"{self.arch} cannot have output stride {wanted}; possible is {own}"
        try:
            self.network = _network(self.name, output_stride=wanted)
            self.stages = _measured_stages(self)
        except (AssertionError, TypeError, RuntimeError) as error:
            raise UsageError(refusal) from error
        if self.stride != wanted:
            raise UsageError(refusal)
        return self

    def own_names(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a checkpoint of timm, or one that timm can read, under the names of this network.

        Half precision becomes float32, and a table of positions of another size is resampled.
        """
        if any(name.startswith(INSIDE) for name in state_dict):
            return dict(state_dict)
        state = {k: v.float() if v.is_floating_point() else v for k, v in state_dict.items()}
        before = state.get("pos_embed")
        state = _filtered(state, self.network)
        after = state.get("pos_embed")
        if before is not None and after is not None and before.shape != after.shape:
            self.notes = (
                *self.notes,
                f"the positions of the initial weights, {_spelled(before)}, were resampled to "
                f"{_spelled(after)}",
            )
        own = self.network.state_dict()
        heads = tuple(f"{name}." for name in classifier_names(self.network))
        return {INSIDE + k: v for k, v in state.items() if k in own or not k.startswith(heads or ("\0",))}


def timm_backbone(arch: str, outputs: int = 0) -> TimmBackbone:
    """Build any network of timm that gives feature maps, as ``timm:NAME``.

    Args:
        arch: ``timm:`` and a name that timm knows; in any case; names may have tags.
        outputs: size of the layer behind the pooling, which ``forward_head`` of the network applies; 0: none.

    Raises:
        UsageError: timm is not installed, it has no such network, or the network has no feature maps.
    Source:
        Wightman, "PyTorch Image Models" (Apache-2.0); the papers are those of its networks.
    """
    name = timm_name(arch)
    return TimmBackbone(name, _network(name, num_classes=outputs))


def timm_name(arch: str) -> str:
    """Return the name of timm in ``timm:NAME``, after a check that timm has such a network.

    Raises:
        UsageError: timm is not installed, or it has no such network.
    """
    if find_spec("timm") is None:
        raise UsageError(f"{arch} needs timm, which is not installed: pip install 'wsstool[timm]'")
    name = arch.removeprefix(PREFIX)
    if not arch.startswith(PREFIX) or not name:
        raise UsageError("name a network of timm, such as timm:vit_small_patch14_dinov2")
    timm = imported_timm()
    name = name if timm.is_model(name.partition(".")[0]) else name.lower()  # all names are lower-case
    if not timm.is_model(name.partition(".")[0]):
        names = timm.list_models()
        near = nearest_names(name.partition(".")[0], names)
        which = (
            f"the nearest are: {', '.join(near)}"
            if near
            else f"timm.list_models() in Python lists its {len(names)} networks"
        )
        raise UsageError(f"timm has no network '{arch.removeprefix(PREFIX)}'; {which}")
    return name


def _network(name: str, *, num_classes: int = 0, **options: Any) -> nn.Module:
    """Build a network of timm, by default without classifier, for images of any size where it can."""
    timm = imported_timm()
    choices: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {})
    for more in choices:
        try:
            network = timm.create_model(name, pretrained=False, num_classes=num_classes, **more, **options)
            break
        except TypeError as error:
            refusal = error
    else:
        raise refusal
    for module in network.modules():
        if hasattr(module, "strict_img_size"):
            module.strict_img_size = False  # type: ignore[assignment]
    if not hasattr(network, "forward_intermediates") or not _information(network):
        raise UsageError(f"timm's {name} gives no intermediate feature maps, so it cannot be a backbone")
    return network


def _information(network: nn.Module) -> list[dict[str, Any]]:
    """Return name, channels and stride of each intermediate map, as timm states them."""
    stated: Any = getattr(network, "feature_info", None)
    return list(getattr(stated, "info", stated) or [])


def _maps(network: Any, x: Tensor, indices: Sequence[int] | None) -> list[Tensor]:
    return network.forward_intermediates(
        x, indices=indices, norm=True, stop_early=True, output_fmt="NCHW", intermediates_only=True
    )


def _sizes(backbone: TimmBackbone, rows: int, columns: int) -> list[tuple[int, ...]]:
    """Return (channels, rows, columns) of each map of an empty image of this size."""
    was_training = backbone.network.training
    try:
        with torch.no_grad():
            device = next(backbone.network.parameters()).device
            x = torch.zeros(1, 3, rows, columns, device=device)
            return [tuple(one.shape[1:]) for one in _maps(backbone.network.eval(), x, None)]
    finally:
        backbone.network.train(was_training)


def _coarsest(backbone: TimmBackbone) -> int:
    return max(int(one["reduction"]) for one in _information(backbone.network))


def _measured_stages(backbone: TimmBackbone) -> tuple[Stage, ...]:
    """Measure stride and channels of every part.

    Raises:
        UsageError: the network takes one image size only, or its outputs are no maps.
    """
    unit = _coarsest(backbone)
    rows, columns = CELLS[0] * unit, CELLS[1] * unit
    try:
        sizes = _sizes(backbone, rows, columns)
    except Exception as error:  # each network has its own way to refuse
        raise UsageError(
            f"{backbone.arch} cannot be a backbone: it does not take images of any size ({error})"
        ) from error
    strides = [rows // size[1] if len(size) == 3 and size[1] else 0 for size in sizes]
    for size, stride in zip(sizes, strides, strict=True):
        if not stride or [n * stride for n in size[1:]] != [rows, columns]:
            raise UsageError(f"{backbone.arch} cannot be a backbone: it has no spatial features")
    information = _information(backbone.network)
    names = [INSIDE + str(one["module"]) for one in information] if len(information) == len(sizes) else []
    names = names or [f"{INSIDE}{number}" for number in range(len(sizes))]
    return tuple(
        Stage(name, stride, size[0])
        for name, stride, size in zip([*names[:-1], LAST], strides, sizes, strict=True)
    )


def _input_multiple(backbone: TimmBackbone) -> int:
    """Return what sides must be a multiple of for maps of ceil(side / stride) cells: 1, a patch, or all."""
    strides = [stage.stride for stage in backbone.stages]
    rows, columns = (n * max(strides) + 1 for n in CELLS)
    for multiple in sorted({1, min(strides)}):
        sides = [-(-n // multiple) * multiple for n in (rows, columns)]
        try:
            sizes = _sizes(backbone, *sides)
        except Exception:  # each network has its own way to refuse
            continue
        if all(
            size[1:] == (-(-sides[0] // stride), -(-sides[1] // stride))
            for size, stride in zip(sizes, strides, strict=True)
        ):
            return multiple
    return max(strides)


def _input_notes(backbone: TimmBackbone) -> tuple[str, ...]:
    """Return what happens to images of other sizes, in sentences."""
    found = []
    if backbone.input_multiple > 1:
        found.append(
            f"{backbone.arch} pads images at the right and bottom by repeating the border, to sides that are "
            f"multiples of {backbone.input_multiple} pixels"
        )
    table = getattr(backbone.network, "pos_embed", None)
    if isinstance(table, Tensor):
        found.append(f"{backbone.arch} interpolates its {_spelled(table)} positions to the size of an image")
    return tuple(found)


def _spelled(table: Tensor) -> str:
    """Format the size of a table of positions, (1,T,C) or (1,h,w,C)."""
    if table.ndim == 4:
        return f"{table.shape[1]} x {table.shape[2]}"
    side = int(table.shape[1] ** 0.5)
    return f"{side} x {side}"


def _filtered(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Apply timm's own conversion of foreign checkpoints, which also resamples positions."""
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        return dict(convert(state, network))
    except Exception:  # weights of another network; the comparison of names and shapes says which
        return state


def classifier_names(network: nn.Module) -> tuple[str, ...]:
    """Return the names of the layers behind the pooling of a network of timm."""
    config: Any = network.pretrained_cfg
    stated = config.get("classifier") or ()
    return (stated,) if isinstance(stated, str) else tuple(stated)
