"""DeepLabv3+: the forward pass against a slow reference, the published names, start weights."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from tests.models.heads.deeplab_reference import deeplabv3plus
from wsstool import store
from wsstool.errors import BadInputError
from wsstool.models.recognise import describe_weights
from wsstool.models.segmenter import build_segmenter, start_from
from wsstool.models.weights import build_from_weights
from wsstool.stages.networks.output_names import named_outputs
from wsstool.stages.predict.predict import predict
from wsstool.types import ClassList

PARITY = Path("fixtures/parity")


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics that keep activations away from 0 and from infinity, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if value.ndim == 1:
            low = 0.5 if name.endswith(("running_var", "weight")) else -0.2
            value.copy_(low + 0.5 * torch.rand(value.shape, generator=generator))
    return network.eval()


def images(height: int, width: int, n: int = 2) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(3))


def worst(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.std())


@pytest.mark.parametrize(
    ("arch", "output_stride", "size"),
    [
        ("resnet18", 16, (33, 47)),
        ("resnet18", 8, (32, 40)),
        ("resnet50", 16, (48, 33)),
        pytest.param("resnet-50", 8, (33, 33), marks=pytest.mark.slow),
    ],
)
def test_forward_pass_is_the_references(arch: str, output_stride: int, size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = lively(build_segmenter(f"deeplabv3plus-{arch}", 5, output_stride=output_stride))
    x = images(*size)
    with torch.no_grad():
        found = network(x)
        assert found.shape == (2, 5, *size)
        assert worst(found, deeplabv3plus(network.state_dict(), x, output_stride)) < 3e-5


def test_the_published_names_shapes_and_order(shared: Path) -> None:
    listed = json.loads((shared / PARITY / "wsss_deeplab_resnet_os16.keys.json").read_text())
    with torch.device("meta"):
        network = build_segmenter("deeplabv3plus-resnet101", 4)
    own = [[k, list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in network.state_dict().items()]
    assert own == listed["keys"] and len(own) == 680
    assert sum(p.numel() for p in network.parameters()) == listed["n_parameters"] == 59_339_940


@pytest.fixture(scope="module")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the published program writes it, on weights made by rule."""
    folder = shared / PARITY
    spec = importlib.util.spec_from_file_location("weights_rule", folder / "weights_rule.py")
    assert spec and spec.loader
    rule = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    keys = json.loads((folder / "wsss_deeplab_resnet_os16.keys.json").read_text())["keys"]
    state = {name: torch.from_numpy(value) for name, value in rule.make_state(keys).items()}
    path = tmp_path_factory.mktemp("published") / "stage2_checkpoint_trained_on_luad.pth"
    torch.save({"state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, path)
    return path


def test_a_published_file_is_known_and_fits_as_it_is(published: Path) -> None:
    said = describe_weights(published)
    assert said["what"] == "WSSS-Tissue stage 2: DeepLabv3+ ResNet-101, 4 classes"
    assert said["arch"] == "deeplabv3plus-resnet-101"
    network, meta = build_from_weights(published)
    assert (meta["mean"], meta["std"]) == ([0.0] * 3, [1.0] * 3)
    x = images(65, 49, 1)
    with torch.no_grad():
        assert worst(network(x), deeplabv3plus(network.state_dict(), x)) < 3e-5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("backbone.layer4.2.conv3.weight", "missing: backbone.layer4.2.conv3"),
        pytest.param("more.bias", "not in .*more.bias", marks=pytest.mark.slow),
    ],
)
def test_what_is_missing_or_too_much_is_named(published: Path, tmp_path: Path, name: str, says: str) -> None:
    state = torch.load(published, weights_only=True)["state_dict"]
    if state.pop(name, None) is None:
        state[name] = torch.zeros(2)
    torch.save({"state_dict": state}, tmp_path / "broken.pth")
    for read in (describe_weights, build_from_weights):
        with pytest.raises(BadInputError, match=says) as error:
            read(tmp_path / "broken.pth")
        assert error.value.exit_code == 65


def test_multi_grid_and_strides() -> None:
    with torch.device("meta"):
        network = build_segmenter("deeplabv3plus-resnet101", 2)
        wide = build_segmenter("deeplabv3plus-resnet50", 2, output_stride=8)
        mobile = build_segmenter("deeplabv3plus-mobilenet-v2", 2)
    assert [block.conv2.dilation[0] for block in network.backbone.layer4] == [2, 4, 8]
    assert {block.conv2.dilation[0] for block in network.backbone.layer3} == {1}
    assert [block.conv2.dilation[0] for block in wide.backbone.layer4] == [4, 8, 16]
    assert {block.conv2.dilation[0] for block in wide.backbone.layer3} == {2}
    assert wide.aspp.aspp4.atrous_conv.dilation == (36, 36)
    assert (
        network.backbone.layer3[0].conv2.stride == (2, 2) == network.backbone.layer3[0].downsample[0].stride
    )
    assert mobile.aspp.aspp1.atrous_conv.in_channels == 320 and mobile.decoder.conv1.in_channels == 24


def test_where_it_drops_out_and_how_it_starts() -> None:
    torch.manual_seed(0)
    network = build_segmenter("deeplabv3plus-resnet18", 3)
    dropouts = {name: m.p for name, m in network.named_modules() if isinstance(m, nn.Dropout)}
    assert dropouts == {"aspp.dropout": 0.5, "decoder.last_conv.3": 0.5, "decoder.last_conv.7": 0.1}
    state = network.state_dict()
    wanted = {
        "backbone.layer4.0.conv1.weight": math.sqrt(2 / (9 * 512)),  # by outputs
        "aspp.conv1.weight": math.sqrt(2 / 1280),  # by inputs
        "decoder.last_conv.0.weight": math.sqrt(2 / (9 * 304)),
    }
    for name, deviation in wanted.items():
        assert state[name].std().item() == pytest.approx(deviation, rel=0.03)
    assert all((m.weight == 1).all() for m in network.modules() if isinstance(m, nn.BatchNorm2d))


def test_every_parameter_learns_from_two_images() -> None:
    network = build_segmenter("deeplabv3plus-resnet18", 3, width=8).train()
    network(images(32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    backbone, head = list(network.backbone.parameters()), network.head_parameters()
    assert len(backbone) + len(head) == len(list(network.parameters()))


def test_warm_start_leaves_the_last_layer_out() -> None:
    """Start weights of 21 classes, some of them without step counters, as old files are."""
    ours = build_segmenter("deeplabv3plus-resnet18", 4, width=8)
    theirs = lively(build_segmenter("deeplabv3plus-resnet18", 21, width=8)).state_dict()
    theirs = {k: v for k, v in theirs.items() if not k.endswith("num_batches_tracked")}
    before = {k: v.clone() for k, v in ours.state_dict().items()}
    assert start_from(ours, theirs) == "all but the last layer"
    after = ours.state_dict()
    for name in theirs:
        same = before if name.startswith("decoder.last_conv.8.") else theirs
        assert torch.equal(after[name], same[name]), name
    backbone = {k: v for k, v in theirs.items() if k.startswith("backbone.")}
    assert start_from(build_segmenter("deeplabv3plus-resnet18", 4), backbone) == "backbone"
    with pytest.raises(BadInputError, match="resnet-34"):
        start_from(build_segmenter("deeplabv3plus-resnet34", 4), theirs)


def test_a_published_file_predicts(published: Path, tmp_path: Path) -> None:
    """Through the stage, a picture of odd size: colours in [0, 1], no padding, classes by the file's name."""
    (tmp_path / "images").mkdir()
    pixels = (255 * images(49, 65, 1)[0]).byte()
    Image.fromarray(pixels.movedim(0, -1).numpy()).save(tmp_path / "images" / "a.png")
    predict(tmp_path, weights=published, output=tmp_path / "p.h5", device="cpu")
    with store.open_records(tmp_path / "p.h5") as reader:
        assert reader.header.classes.names[:4] == ("TE", "NEC", "LYM", "TAS")
        (record,) = reader.records()
    state = torch.load(published, weights_only=True)["state_dict"]
    with torch.no_grad():
        wanted = deeplabv3plus(state, pixels[None].float() / 255).argmax(1)
    assert (torch.from_numpy(record.data) == wanted).float().mean() > 0.999


def test_classes_of_a_published_file() -> None:
    """Named by the user, by the file's name, by the folder, or by number; never the background of a list."""
    meta = {"classes": [f"class_{i}" for i in range(2)], "named": False, "class_ids": [0, 1]}
    bare, own = ClassList(()), ClassList(("background", "cat", "dog"), 0)
    assert named_outputs(meta, bare, Path("a.pth"))[0].names == ("class_0", "class_1")
    assert named_outputs(meta, own, Path("a.pth")) == (own, [1, 2])
    with pytest.raises(BadInputError, match="2 classes, but the class list has 4"):
        named_outputs(meta, own, Path("trained_on_luad.pth"))
    assert named_outputs(meta, own, Path("trained_on_luad.pth"), is_named=True)[1] == [1, 2]
    ours = {**meta, "named": True, "background": -1}
    assert named_outputs(ours, own, Path("luad.pth"))[0].names == ("class_0", "class_1")
