"""Networks of timm as backbones: parity, positions and padding, checkpoints, heads, class maps, refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.cams.cam import cam
from wsstool.cams.gradcam import gradcam
from wsstool.errors import BadInputError, UsageError
from wsstool.models.backbones import build_backbone, input_statistics, timm_network
from wsstool.models.backbones.timm_network import INSIDE, TimmBackbone
from wsstool.models.backbones.token_maps import token_map
from wsstool.models.classifier import Classifier, build_classifier
from wsstool.models.contour import build_contour
from wsstool.models.initial_weights import load_backbone
from wsstool.models.recognise import fitting_backbones
from wsstool.models.referring.build import build_referring
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import Weights, load_state, load_weights
from wsstool.registries.segmenters import split_arch

timm = pytest.importorskip("timm")

VIT = "timm:test_vit"
"""Patches of 16 pixels, 6 blocks, 64 channels, positions for 160 pixels."""

SMALL = ("test_vit", "test_convnext", "test_resnet", "test_efficientnet")
LARGE = (
    "swin_tiny_patch4_window7_224",
    "vit_small_patch16_dinov3",
    "vit_base_patch16_clip_224",
    "samvit_base_patch16",
    "vit_small_patch14_reg4_dinov2",
)


def image(rows: int = 64, columns: int = 96, n: int = 1) -> Tensor:
    return torch.randn(n, 3, rows, columns, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def vit() -> TimmBackbone:
    torch.manual_seed(0)
    return build_backbone(VIT).eval()  # type: ignore[return-value]


@torch.no_grad()
@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(one, marks=pytest.mark.slow) for one in LARGE)])
def test_maps_are_those_of_timm(name: str) -> None:
    """Through ``forward_features``, which is another path than ours through the network."""
    backbone = build_backbone(f"timm:{name}").eval()
    own = backbone.network
    grid = (2, 3)
    x = image(2 * backbone.stride, 3 * backbone.stride)
    theirs = own.forward_features(x)
    if name == "test_efficientnet":  # without the expansion before the classifier
        theirs = own.blocks(own.bn1(own.conv_stem(x)))
    if theirs.ndim == 3:
        theirs = theirs[:, theirs.shape[1] - grid[0] * grid[1] :].mT.unflatten(2, grid)
    elif getattr(own, "output_fmt", "NCHW") == "NHWC":
        theirs = theirs.permute(0, 3, 1, 2)
    ours = backbone(x)
    assert ours.shape == (1, backbone.out_channels, *grid)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 * float(theirs.std()))


@torch.no_grad()
def test_named_blocks_in_one_pass(vit: TimmBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [stage.name for stage in vit.stages]
    assert names == [*(f"network.blocks.{n}" for n in range(5)), "output_map"]
    assert {(stage.stride, stage.channels) for stage in vit.stages} == {(16, 64)}
    expected = vit.network.forward_intermediates(image(), norm=True, intermediates_only=True)
    ran = []
    hooks = [b.register_forward_hook(lambda *_, n=n: ran.append(n)) for n, b in enumerate(vit.network.blocks)]
    found = vit.features_of(image(), (names[3], names[1]))
    for hook in hooks:
        hook.remove()
    assert torch.equal(found[0], expected[3]) and torch.equal(found[1], expected[1])
    assert ran == [0, 1, 2, 3], "the blocks after the last one asked for do not run"


@torch.no_grad()
def test_sides_are_padded_to_the_patch_by_repeating_the_border(vit: TimmBackbone) -> None:
    x = image(33, 50)
    wide = F.pad(x, (0, 14, 0, 15), mode="replicate")
    assert vit(x).shape == (1, 64, 3, 4)
    assert torch.equal(vit(x), vit(wide))
    assert [note.split(" ", 1)[1] for note in vit.notes] == [
        "pads images at the right and bottom by repeating the border, to sides that are multiples of "
        "16 pixels",
        "interpolates its 10 x 10 positions to the size of an image",
    ]


@pytest.mark.parametrize("name", ["test_convnext", "test_resnet"])
def test_maps_of_odd_sides_are_rounded_up(name: str) -> None:
    backbone = build_backbone(f"timm:{name}").eval()
    with torch.no_grad():
        assert backbone(image(65, 97)).shape[2:] == (math.ceil(65 / 32), math.ceil(97 / 32))


def test_convolutional_networks_take_an_output_stride() -> None:
    backbone = build_backbone("timm:test_resnet", output_stride=16).eval()
    assert backbone.stride == 16 and backbone.stage_at(8).stride == 8
    with torch.no_grad():
        assert backbone(image()).shape[2:] == (4, 6)


class TestCheckpoints:
    @pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": s}, lambda s: {"state_dict": s}])
    def test_half_precision_with_a_classifier(self, wrap, tmp_path: Path) -> None:
        theirs = timm.create_model("test_vit", num_classes=5).eval()
        state = {name: value.half() for name, value in theirs.state_dict().items()}
        torch.save(wrap(state), tmp_path / "vit.pth")
        backbone = build_backbone(VIT).eval()
        load_backbone(backbone, load_weights(tmp_path / "vit.pth"), "vit.pth")
        assert {value.dtype for value in backbone.parameters()} == {torch.float32}
        for name, value in backbone.network.state_dict().items():
            assert torch.equal(value, state[name].float()), name
        assert len(backbone.notes) == 2

    def test_positions_of_another_size_are_resampled(self) -> None:
        theirs = timm.create_model("test_vit", num_classes=0, img_size=96, dynamic_img_size=True).eval()
        backbone = build_backbone(VIT).eval()
        load_backbone(backbone, Weights(dict(theirs.state_dict())), "vit.pth")
        assert backbone.notes[-1].endswith("initial weights, 6 x 6, were resampled to 10 x 10")
        table = theirs.pos_embed.detach()
        grid = table[:, 1:].mT.unflatten(2, (6, 6))
        other = F.interpolate(grid, (10, 10), mode="bicubic", antialias=True).flatten(2).mT
        found = backbone.network.pos_embed.detach()
        torch.testing.assert_close(found[:, 1:], other, rtol=0, atol=1e-6)
        assert torch.equal(found[:, :1], table[:, :1])

    def test_weights_of_another_network(self) -> None:
        theirs = timm.create_model("test_convnext", num_classes=0)
        backbone = build_backbone(VIT)
        with pytest.raises(BadInputError, match="does not fit this network"):
            load_state(backbone, backbone.own_names(theirs.state_dict()))

    def test_our_own_files_keep_their_names(self, vit: TimmBackbone) -> None:
        again = build_backbone(VIT)
        load_backbone(again, Weights({f"backbone.{k}": v for k, v in vit.state_dict().items()}), "cls.pth")
        assert all(torch.equal(v, vit.state_dict()[k]) for k, v in again.state_dict().items())

    def test_a_bare_transformer_is_recognised(self) -> None:
        with torch.device("meta"):
            state = timm.create_model("vit_tiny_patch16_224", num_classes=7).state_dict()
        assert fitting_backbones(state) == ["timm:vit_tiny_patch16_224"]


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    model = build_classifier(VIT, 3).eval()
    nn.init.normal_(model.head.weight)
    return model  # type: ignore[return-value]


class TestClassMaps:
    def test_cam_reads_the_last_map(self, model: Classifier) -> None:
        found = cam(model, image(33, 50, 2), torch.ones(2, 3, dtype=torch.bool))
        with torch.no_grad():
            expected = F.conv2d(model.backbone(image(33, 50, 2)), model.head.weight)
        torch.testing.assert_close(found.maps[0], expected)

    @pytest.mark.parametrize("layer", ["blocks.2", "backbone.network.blocks.4.mlp"])
    def test_gradcam_on_tokens(self, model: Classifier, layer: str) -> None:
        """Against the gradient of the tokens themselves, by hand."""
        x = image()
        found = gradcam(model, x, torch.ones(1, 3, dtype=torch.bool), (layer,)).maps[0]
        kept: list[Tensor] = []
        module = model.backbone.network.get_submodule(layer.removeprefix("backbone.network."))
        hook = module.register_forward_hook(lambda *args: kept.append(args[-1]))
        logits = model(x)[0]
        hook.remove()
        for c in range(3):
            (gradient,) = torch.autograd.grad(logits[c], kept[0], retain_graph=True)
            weights = gradient[0, 1:].mean(0)  # without the class token
            expected = (kept[0][0, 1:] @ weights).view(4, 6).detach()
            most = float(expected.abs().max())
            torch.testing.assert_close(found[0, c], expected, rtol=1e-4, atol=1e-5 * most)

    def test_several_layers_and_the_shortcut_agree(self, model: Classifier) -> None:
        targets = torch.ones(1, 3, dtype=torch.bool)
        both = gradcam(model, image(), targets, ("blocks.1", "output_map"))
        plain = cam(model, image(), targets)
        torch.testing.assert_close(both.maps[1] * 24, plain.maps[0], rtol=1e-4, atol=1e-5)
        alone = gradcam(model, image(), targets, ("blocks.1",))
        torch.testing.assert_close(both.maps[0], alone.maps[0])

    def test_outputs_with_channels_last_become_maps(self) -> None:
        output = torch.randn(2, 4, 6, 8)
        found = token_map(output, [(4, 6)])
        assert found is not None and found.map.shape == (2, 8, 4, 6)
        assert torch.equal(found.back(found.map), output)
        assert token_map(torch.zeros(2, 8), [(4, 6)]) is None


class TestHeads:
    @pytest.mark.parametrize(
        "head", ["linear", "pyramid", "deeplabv3plus", "deeplabv3", "segformer", "lraspp", "fcn"]
    )
    def test_every_head_segments(self, head: str) -> None:
        network = build_segmenter(f"{head}-{VIT}", 4, width=None if head == "linear" else 8)
        logits = network(image(33, 50, 2))
        assert logits.shape == (2, 4, 33, 50)
        logits.square().mean().backward()
        first = network.backbone.network.blocks[0].attn.qkv.weight
        assert first.grad is not None and first.grad.abs().sum() > 0

    @torch.no_grad()
    def test_padding_does_not_move_the_answer(self) -> None:
        network = build_segmenter(f"linear-{VIT}", 4).eval()
        x = image(33, 50)
        wide = F.pad(x, (0, 14, 0, 15), mode="replicate")
        torch.testing.assert_close(network(x), network(wide)[..., :33, :50])

    def test_linear_reads_three_quarters_deep(self) -> None:
        network = build_segmenter(f"linear-{VIT}", 4)
        assert network.low_stage == "network.blocks.3"

    def test_heads_that_cannot(self) -> None:
        with pytest.raises(UsageError, match=r"fcn8s aligns its maps .* use fcn-timm:test_vit or linear-"):
            build_segmenter(f"fcn8s-{VIT}", 4)
        with pytest.raises(UsageError, match=r"words cannot come between the layers of timm:test_vit"):
            build_referring(f"bcam-{VIT}", 10)

    def test_contours_have_stride_two(self) -> None:
        network = build_contour(VIT, width=8)
        maps = network(image(33, 50))
        assert maps.shape == (1, 17, 25)
        maps.sum().backward()
        assert network.edges.weight.grad.abs().sum() > 0

    def test_names(self) -> None:
        assert split_arch("linear-timm:vit_small_patch14_dinov2") == (
            "linear",
            "timm:vit_small_patch14_dinov2",
        )


class TestRefusals:
    def test_an_unknown_name_lists_the_nearest(self) -> None:
        with pytest.raises(
            UsageError, match=r"no network 'vit_small_patch14_dinov3'; .* vit_small_patch16_dinov3"
        ):
            build_backbone("timm:vit_small_patch14_dinov3")

    @pytest.mark.parametrize("name", ["timm", "timm:"])
    def test_no_name(self, name: str) -> None:
        with pytest.raises(UsageError, match="name a network of timm, such as timm:vit"):
            build_backbone(name)

    def test_a_stride_that_the_patch_does_not_permit(self) -> None:
        with pytest.raises(UsageError, match="timm:test_vit cannot have output stride 8; possible is 16"):
            build_backbone(VIT, output_stride=8)

    def test_one_image_size_only(self) -> None:
        with pytest.raises(UsageError, match="mixer_s32_224 cannot be a backbone: it does not take images"):
            build_backbone("timm:mixer_s32_224")

    def test_without_spatial_features(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pooled = lambda network, x, indices: [torch.zeros(1, 8, 1, 1)]  # noqa: E731
        monkeypatch.setattr(timm_network, "_maps", pooled)
        with pytest.raises(
            UsageError, match="timm:test_vit cannot be a backbone: it has no spatial features"
        ):
            build_backbone(VIT)

    def test_without_timm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timm_network, "find_spec", lambda name: None)
        with pytest.raises(UsageError, match=r"not installed: pip install 'wsstool\[timm\]'"):
            build_backbone(VIT)


def test_statistics_are_those_of_timm() -> None:
    found = input_statistics("timm:test_vit")
    assert found is not None and found.mean == found.std == (0.5, 0.5, 0.5)
    assert input_statistics("timm:resnet18") is None, "those of ImageNet"
    assert INSIDE == "network."
