"""FCNs: published keys, crop offsets by hand, a slow reference, borders, other backbones."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.fixtures import arrays, listed
from tests.models.heads.fcn_networks import lively, small_fcn
from wsstool.errors import UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.backbones.atrous import SpreadMaxPool
from wsstool.models.backbones.caffe_trunks import alexnet_trunk, vgg16_trunk
from wsstool.models.backbones.grid import Grid, stage_grids
from wsstool.models.heads.fcn import FCN, build_fcn
from wsstool.models.heads.upscore import Upscore, bilinear_row, bilinear_weight
from wsstool.models.segmenter import build_segmenter
from wsstool.registries.segmenters import FCN_HEADS, split_arch


@pytest.mark.parametrize(
    ("arch", "offsets"),
    [
        ("fcn32s-vgg-16", [(19, 0)]),
        ("fcn16s-vgg-16", [(0, 5), (27, 0)]),
        ("fcn8s-vgg-16", [(0, 5), (0, 9), (31, 0)]),
        ("fcn8s-at-once-vgg-16", [(0, 5), (0, 9), (31, 0)]),
        ("fcn32s-alexnet", [(18, 0)]),
    ],
)
def test_crop_offsets_are_the_published_ones(arch: str, offsets: list[tuple[int, int]]) -> None:
    """(crop of the upsampling, crop of the skip), from the layers alone."""
    with torch.device("meta"):
        network = build_segmenter(arch, 21)
    assert isinstance(network, FCN)
    assert [(seam.first, seam.finer) for seam in network.seams] == offsets
    assert {seam.around for seam in network.seams} == {0}


@pytest.mark.parametrize("name", ["32s", "16s", "8s"])
def test_the_published_names_shapes_and_order(name: str) -> None:
    published = listed(f"fcn/fcn{name}.keys")
    with torch.device("meta"):
        network = build_segmenter(f"fcn{name}-vgg16", 21)
    own = [[k, list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in network.state_dict().items()]
    assert own == published["keys"]
    assert sum(p.numel() for p in network.parameters()) == published["n_parameters"]


def test_bilinear_kernels_are_the_published_programs() -> None:
    stored = arrays("fcn/bilinear")
    for kernel in (3, 4, 16, 32, 63, 64):
        row = bilinear_row(kernel).numpy()
        np.testing.assert_allclose(np.outer(row, row), stored[f"bilinear_{kernel}"], atol=1e-7)
    np.testing.assert_array_equal(bilinear_weight(3, 4).numpy(), stored["bilinear_weight_3x3x4"])


def reference(network: FCN, x: Tensor) -> Tensor:
    """FCN on VGG-16 as it is described, step by step, with every crop a number."""
    state = network.state_dict()
    scales = [tap.scale for tap in network.taps]
    x, pools, padding = x.flip(1) if network.channel_order == "bgr" else x, {}, 100
    for block, layers in enumerate((2, 2, 3, 3, 3), 1):
        for layer in range(1, layers + 1):
            name = f"conv{block}_{layer}"
            x = F.relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding))
            padding = 1
        x = pools[block] = F.max_pool2d(x, 2, 2, ceil_mode=True)
    for name in ("fc6", "fc7"):
        x = F.relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"]))
    scores = F.conv2d(x, state["score_fr.weight"], state["score_fr.bias"])
    last, offset = "upscore", 19
    for up, pool, crop, last_, offset_ in (
        ("upscore2", 4, 5, "upscore16", 27),
        ("upscore_pool4", 3, 9, "upscore8", 31),
    )[: len(scales) - 1]:
        stride, last, offset = 2, last_, offset_
        scores = F.conv_transpose2d(scores, state[f"{up}.weight"], stride=stride)
        scaled = scales[5 - pool] * pools[pool]
        skip = F.conv2d(scaled, state[f"score_pool{pool}.weight"], state[f"score_pool{pool}.bias"])
        rows, columns = scores.shape[-2:]
        scores = scores + skip[..., crop : crop + rows, crop : crop + columns]
    weight = state[f"{last}.weight"]
    return F.conv_transpose2d(scores, weight, stride=weight.shape[-1] // 2)[..., offset:, offset:]


@pytest.mark.parametrize("head", ["fcn32s", "fcn16s", "fcn8s", "fcn8s-at-once"])
@pytest.mark.parametrize("learned", [False, True], ids=["bilinear", "learned"])
def test_forward_pass_is_the_references(head: str, learned: bool) -> None:
    """Of sizes below the stride, below the receptive field, odd, and a multiple of nothing."""
    network = lively(small_fcn(head, channel_order="bgr"), upscores=learned)
    for size in ((1, 1), (7, 90), (61, 83)):
        x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            found, wanted = network(x), reference(network, x)[..., : size[0], : size[1]]
        assert found.shape == (1, 3, *size)
        assert (found - wanted).abs().max() < 3e-5 * wanted.std().clamp(min=wanted.abs().max() / 10)


def test_at_once_and_staged_differ_by_the_scales_alone() -> None:
    staged, at_once = lively(small_fcn("fcn8s")), small_fcn("fcn8s-at-once").eval()
    at_once.load_state_dict(staged.state_dict())
    x = torch.randn(1, 3, 20, 20)
    with torch.no_grad():
        assert not torch.allclose(staged(x), at_once(x))
        for name, scale in (("score_pool4", 0.01), ("score_pool3", 0.0001)):
            staged.get_submodule(name).weight.mul_(scale)
        torch.testing.assert_close(staged(x), at_once(x), rtol=1e-4, atol=1e-5)


def test_every_size_has_a_score_at_every_pixel() -> None:
    network = lively(small_fcn("fcn32s"))
    cells = network.class_maps(torch.zeros(1, 3, 65, 33)).shape[-2:]
    assert cells == ((65 + 198 + 31) // 32 - 6, (33 + 198 + 31) // 32 - 6)


def test_alexnet() -> None:
    network = build_fcn("fcn32s", "alexnet", 3, width=8)
    assert network.upscore.kernel == 63
    x = torch.randn(1, 3, 33, 50)
    with torch.no_grad():
        assert lively(network)(x).shape == (1, 3, 33, 50)
        # behind 11x11/4 (padding 100), three 3x3/2 poolings rounded up, and 6x6
        cells = network.class_maps(x).shape[-2:]
    sizes = []
    for n in (33, 50):
        n = (n + 200 - 11) // 4 + 1
        for _ in range(3):
            n = -(-(n - 3) // 2) + 1
        sizes.append(n - 5)
    assert list(cells) == sizes


class TestUpscore:
    def test_separable_is_the_transposed_convolution(self) -> None:
        for factor, kernel in ((2, 4), (8, 16), (4, 7)):
            layer = Upscore(3, factor, kernel)
            x = torch.randn(2, 3, 5, 4)
            assert layer.is_bilinear
            wanted = F.conv_transpose2d(x, layer.weight, stride=factor)
            torch.testing.assert_close(layer(x), wanted, rtol=1e-5, atol=1e-5)
            window = wanted[..., 3:10, 2:9]
            torch.testing.assert_close(layer(x, (3, 7), (2, 7)), window, rtol=1e-5, atol=1e-5)

    def test_a_weight_that_was_changed_or_loaded_is_used_as_it_is(self) -> None:
        layer = Upscore(2, 2, 4)
        x = torch.randn(1, 2, 3, 3)
        layer(x)
        with torch.no_grad():
            layer.weight[0, 1, 0, 0] = 0.5
        assert not layer.is_bilinear
        torch.testing.assert_close(layer(x), F.conv_transpose2d(x, layer.weight, stride=2))
        layer.load_state_dict({"weight": bilinear_weight(2, 4)})
        assert layer.is_bilinear

    def test_ramps_in_the_interior_and_fading_at_the_border(self) -> None:
        ramp = torch.arange(6.0).expand(1, 1, 6, 6)
        enlarged = Upscore(1, 4, 8)(ramp)[0, 0, 14]
        steps = enlarged[6:-6].diff()
        torch.testing.assert_close(steps, torch.full_like(steps, 0.25))
        assert enlarged[-1] < 1


class TestAnyBackbone:
    @pytest.mark.parametrize(
        "arch",
        ["fcn8s-tiny", "fcn4s-tiny", "fcn2s-tiny", "fcn8s-resnet-18", "fcn16s-mobilenet-v2", "fcn32s-vgg-11"],
    )
    def test_logits_have_the_size_of_the_input(self, arch: str) -> None:
        network = lively(build_segmenter(arch, 3))
        with torch.no_grad():
            for size in ((1, 1), (5, 70), (67, 50)):
                logits = network(torch.randn(1, 3, *size))
                assert logits.shape == (1, 3, *size) and logits.isfinite().all()

    @pytest.mark.slow
    def test_constant_scores_stay_constant_up_to_the_border(self) -> None:
        """Nothing fades, whatever the stride, the grid and the size."""
        for arch, stride in (("tiny", None), ("resnet-18", 16), ("vgg-11", 8), ("vgg-11", 4)):
            network = build_fcn("fcn4s", arch, 2, output_stride=stride).eval()
            for tap in network.taps:
                network.get_submodule(tap.score).bias.data = torch.tensor([1.0, 2.0])
            with torch.no_grad():
                logits = network(torch.randn(1, 3, 37, 51))
            wanted = len(network.taps) * torch.tensor([1.0, 2.0])[:, None, None].expand_as(logits[0])
            torch.testing.assert_close(logits[0], wanted)

    def test_on_grids_between_pixels_it_is_ordinary_bilinear_upsampling(self) -> None:
        network = lively(build_segmenter("fcn32s-vgg-11", 2))
        x = torch.randn(1, 3, 64, 96)
        with torch.no_grad():
            wanted = F.interpolate(network.class_maps(x), size=(64, 96), mode="bilinear")
            torch.testing.assert_close(network(x), wanted, rtol=1e-4, atol=1e-5)

    def test_names_and_what_does_not_go_together(self) -> None:
        assert split_arch("fcn-tiny") == ("fcn", "tiny")
        assert split_arch("fcn8s-at-once-resnet50") == ("fcn8s-at-once", "resnet-50")
        assert not set(FCN_HEADS) & {"fcn"}
        for wrong, said in (
            ({"arch": "fcn32s-tiny"}, "stride 32, but those of tiny have stride 8"),
            ({"arch": "fcn8s-alexnet"}, "fcn32s"),
            ({"arch": "fcn-alexnet"}, "HEAD-BACKBONE"),
            ({"arch": "fcn8s-vgg-16", "output_stride": 16}, "--output-stride"),
            ({"arch": "fcn8s-resnet-18", "width": 8}, "--width"),
            ({"arch": "fcn2s-convnext-tiny"}, "no features of stride 2"),
            ({"arch": "linear-tiny", "channel_order": "bgr"}, "RGB"),
        ):
            with pytest.raises(UsageError, match=said), torch.device("meta"):
                build_segmenter(n_classes=2, **wrong)

    def test_every_parameter_learns_but_the_upsampling(self) -> None:
        network = lively(build_segmenter("fcn2s-tiny", 3)).train()
        network(torch.randn(2, 3, 32, 32)).square().mean().backward()
        without = {name for name, p in network.named_parameters() if p.grad is None}
        assert without == {f"{tap.upscore}.weight" for tap in network.taps}
        network.learn_upsampling()
        network(torch.randn(2, 3, 32, 32)).square().mean().backward()
        assert {n for n, p in network.named_parameters() if p.grad is None} == {"upscore_2_1.weight"}

    def test_head_and_backbone_share_no_parameter(self) -> None:
        for network in (small_fcn("fcn8s"), build_segmenter("fcn4s-tiny", 2)):
            body, head = list(network.backbone.parameters()), network.head_parameters()
            assert len(body) + len(head) == len(list(network.parameters()))
        network = small_fcn("fcn8s")
        network.freeze_backbone()
        assert not network.conv1_1.weight.requires_grad and network.score_fr.weight.requires_grad

    def test_a_copy_has_a_backbone_of_its_own(self) -> None:
        """A teacher is a copy; the layers of the published networks stand in two places."""
        network = small_fcn("fcn8s")
        twin = copy.deepcopy(network)
        assert twin.backbone.conv1_1 is twin.conv1_1 is not network.conv1_1
        twin.conv1_1.weight.data.zero_()
        assert network.conv1_1.weight.any() and not twin.backbone.conv1_1.weight.any()


class TestGrids:
    def test_by_hand(self) -> None:
        """Two 2x2 poolings: cells 0, 1 stand for pixels 0..3 and 4..7, with centres 1.5 and 5.5."""
        grid = Grid().behind(2, stride=2).behind(2, stride=2)
        assert (grid.step, grid.start) == (4.0, 1.5)
        assert Grid().behind(3, stride=2, padding=1) == Grid(2.0, 0.0)
        assert grid.enlarged(8, 4) == Grid(1.0, -2.0)  # its cell 2 is pixel 0
        with pytest.raises(UsageError, match="between"):
            Grid(1.0, 0.5).offset_of(Grid())

    @pytest.mark.parametrize(
        ("arch", "stride"),
        [("tiny", None), ("resnet-18", 16), pytest.param("vgg-11", 8, marks=pytest.mark.slow)],
    )
    def test_they_are_the_centres_of_receptive_fields(self, arch: str, stride: int | None) -> None:
        """Which pixels a cell depends on, found by a backward pass with positive weights."""
        backbone = build_backbone(arch, output_stride=stride).eval()
        for layer in backbone.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data.abs_()
            elif isinstance(layer, nn.MaxPool2d):
                layer.register_forward_hook(_mean_of_the_window)
        grid = stage_grids(backbone)[backbone.last_stage]
        x = torch.ones(1, 3, 448, 448, requires_grad=True)
        features = backbone(x)
        cell = features.shape[-1] // 2
        (gradient,) = torch.autograd.grad(features[0, :, cell, cell].sum(), x)
        columns = torch.nonzero(gradient[0].abs().sum((0, 1))).flatten()
        assert columns[0] > 0 and columns[-1] < 447
        assert float(columns[0] + columns[-1]) / 2 == grid.start + grid.step * cell

    def test_published_trunks(self) -> None:
        with torch.device("meta"):
            assert vgg16_trunk().grid("pool4") == Grid(16.0, 7.5 - 99)
            assert vgg16_trunk().grid("fc7") == Grid(32.0, 12.5)
            assert alexnet_trunk().grid("pool5") == Grid(32.0, -67.0)


def _mean_of_the_window(layer: nn.MaxPool2d, inputs: tuple[Tensor], _: Tensor) -> Tensor:
    """A pooling whose gradient reaches all that it looks at: a convolution of ones with its geometry."""
    (x,) = inputs
    ones = torch.ones(x.shape[1], 1, layer.kernel_size, layer.kernel_size)
    padding = layer.padding
    if isinstance(layer, SpreadMaxPool):
        x, padding = F.pad(x, layer.margins), 0
    return F.conv2d(x, ones, None, layer.stride, padding, layer.dilation, x.shape[1])
