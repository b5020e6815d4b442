"""Published segmenters on FAN: read as they are, recognised by size, with unused entries named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from typer.testing import CliRunner

from tests.messages import Heard
from tests.models.fan import segformer_reference as reference
from tests.models.fan.parity import PUBLISHED, key_list, zeros
from tests.models.heads.test_segformer import scrambled
from tests.stages.toy import write_rectangles
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, UsageError
from wsstool.models.classifier import NORMALIZATIONS, normalise
from wsstool.models.recognise import describe_weights
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import load_weights
from wsstool.runtime import pick_device
from wsstool.stages.networks.segmenter import open_segmenter
from wsstool.stages.predict.predict import predict
from wsstool.types import ClassList

NAMES = tuple(f"kind {i}" for i in range(19))


def of_shapes(shared: Path, arch: str) -> dict[str, Tensor]:
    """A Cityscapes checkpoint of zeros: published names of the backbone, described ones of the head."""
    state = zeros(shared, arch)
    dim = state["cls_token"].shape[-1]
    backbone = {k: v for k, v in state.items() if not k.startswith(("head.", "aux_head.", "norm."))}
    head = {
        "conv_seg.weight": (19, 768, 1, 1),
        "conv_seg.bias": (19,),
        **{f"linear_c{i}.proj.weight": (768, c) for i, c in ((4, dim), (3, dim), (2, 256), (1, 128))},
        **{f"linear_c{i}.proj.bias": (768,) for i in (4, 3, 2, 1)},
        "linear_fuse.conv.weight": (768, 3072, 1, 1),
        **{f"linear_fuse.bn.{part}": (768,) for part in ("weight", "bias", "running_mean", "running_var")},
        "linear_pred.weight": (19, 768, 1, 1),
        "linear_pred.bias": (19,),
    }
    return {
        **{f"backbone.{name}": value for name, value in backbone.items()},
        **{f"decode_head.{name}": torch.zeros(1).expand(shape) for name, shape in head.items()},
        "decode_head.linear_fuse.bn.num_batches_tracked": torch.tensor(0),
    }


def checkpoint(state: dict[str, Tensor], path: Path, classes: tuple[str, ...] = ()) -> Path:
    """A file as the published training program writes it."""
    meta = {"mmseg_version": "0.20.0", "epoch": 54, "iter": 160_000, "config": "model = dict()"}
    if classes:
        meta |= {"CLASSES": classes, "PALETTE": [[i, 0, 255 - i] for i in range(len(classes))]}
    names = {f"module.{name}": value for name, value in state.items()}
    torch.save({"meta": meta, "state_dict": names, "optimizer": {"state": {}}}, path)
    return path


def small_checkpoint(path: Path, n: int = 3, **own: Tensor) -> tuple[Path, dict[str, Tensor]]:
    """A micro network under the published names, with random weights."""
    network = scrambled(build_segmenter("segformer-fan-micro", n, width=8))
    state = {k.replace("class_attention.", ""): v for k, v in network.state_dict().items()}
    state["decode_head.conv_seg.bias"] = torch.zeros(n)
    return checkpoint({**state, **own}, path), state


@pytest.mark.parametrize("arch", PUBLISHED)
def test_every_size_loads_strictly(shared: Path, tmp_path: Path, arch: str) -> None:
    described = describe_weights(checkpoint(of_shapes(shared, arch), tmp_path / "x.pth"))
    title = arch.removeprefix("fan-")
    assert described["what"] == f"FAN-Hybrid {title} with SegFormer head, 19 classes"
    assert described["arch"] == f"segformer-{arch}"
    assert (described["epoch"], described["iteration"], described["ema"]) == (54, 160_000, False)
    meta = described["meta"]
    assert meta["unused"] == ["decode_head.conv_seg.weight", "decode_head.conv_seg.bias"]
    assert meta["floored_positions"] is False and meta["named"] is False
    dim = key_list(shared, arch)["keys"][0][1][-1]
    backbone = key_list(shared, arch)["n_parameters"] - 2 * (1000 * dim + 1000) - 2 * dim  # heads and norm
    expected = backbone + 768 * (128 + 256 + 2 * dim + 4) + 3072 * 768 + 2 * 768 + 769 * 19
    assert described["parameters"] == expected


def test_info_names_network_classes_and_training(tmp_path: Path) -> None:
    path, _ = small_checkpoint(tmp_path / "x.pth")
    result = CliRunner().invoke(app, ["info", str(path)])
    assert result.exit_code == 0, result.stderr
    rows = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert ["what", "FAN-Hybrid micro with SegFormer head, 3 classes"] in rows
    assert ["epoch", "54"] in rows and ["iteration", "160000"] in rows and ["ema", "False"] in rows


def test_classes_of_the_file(shared: Path, tmp_path: Path) -> None:
    path = checkpoint(of_shapes(shared, "fan-tiny"), tmp_path / "x.pth", NAMES)
    meta = load_weights(path).meta
    assert meta["classes"] == list(NAMES) and meta["named"] is True and meta["palette"][3] == [3, 0, 252]
    checkpoint(of_shapes(shared, "fan-tiny"), path, NAMES[:5])  # of another set: not those of the outputs
    assert load_weights(path).meta["classes"][0] == "class_0"


def test_computes_the_published_network(tmp_path: Path) -> None:
    """Unfloored positions, ImageNet normalisation, class attention under its published name."""
    path, state = small_checkpoint(tmp_path / "x.pth")
    trained = open_segmenter(path, pick_device("cpu"), ClassList(()))
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 3, 48, 64), np.uint8))
    x = normalise(image, trained.meta["mean"], trained.meta["std"])
    torch.testing.assert_close(x, normalise(image, *NORMALIZATIONS["imagenet"]))
    maps = reference.backbone_maps(reference.below(state, "backbone."), x, heads=4, tap=3, floored=False)
    expected = reference.head_logits(reference.below(state, "decode_head."), maps)
    expected = F.interpolate(expected, (48, 64), mode="bilinear", align_corners=False)
    with torch.no_grad():
        found = trained.networks[0](x)
    torch.testing.assert_close(found, expected, rtol=0, atol=3e-5 * float(expected.std()))


def test_predicts_and_names_what_is_unused(tmp_path: Path) -> None:
    path, _ = small_checkpoint(tmp_path / "their.pth", **{"backbone.norm.weight": torch.ones(96)})
    (tmp_path / "data").mkdir()
    data, heard = write_rectangles(tmp_path / "data", 4), Heard()
    options = {"weights": path, "arch": "segformer-fan-micro", "device": "cpu"}
    done = predict(data, output=tmp_path / "p.h5", messages=heard, **options)
    assert done["images"] == 4 and not done["failed"]
    assert "is FAN-Hybrid micro with SegFormer head, 3 classes; unused entries: " in heard.text
    assert "backbone.norm.weight" in heard.text and "decode_head.conv_seg.bias" in heard.text
    assert "fan-micro pads 4 of 4 images at the right and bottom by repeating the border" in heard.text
    with store.open_records(tmp_path / "p.h5") as reader:
        assert {record.data.shape for record in reader.records()} == {(1, 40, 36), (1, 33, 50)}


def test_another_size_is_named(tmp_path: Path) -> None:
    path, _ = small_checkpoint(tmp_path / "their.pth")
    says = (
        r"is FAN-Hybrid micro with SegFormer head, 3 classes \(segformer-fan-micro\), which is not --arch {}"
    )
    for arch in ("segformer-fan-base", "linear-fan-micro"):
        with pytest.raises(UsageError, match=says.format(arch)):
            open_segmenter(path, pick_device("cpu"), ClassList(()), arch=arch)


def test_what_is_missing_or_too_much_is_named(tmp_path: Path) -> None:
    path, state = small_checkpoint(tmp_path / "x.pth", **{"decode_head.extra": torch.zeros(1)})
    with pytest.raises(BadInputError, match=r"SegFormer head.*not in the network: decode_head\.extra"):
        describe_weights(path)
    del state["backbone.cls_attn_blocks.1.attn.k.bias"]
    with pytest.raises(
        BadInputError, match=r"missing: backbone\.class_attention\.cls_attn_blocks\.1\.attn\.k"
    ):
        describe_weights(checkpoint(state, path))
