"""SegFormer's head: its values, its scales on every kind of backbone, its gradients, its start weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.models.fan import segformer_reference as reference
from tests.models.fan.parity import PUBLISHED, fixture_state
from wsstool.errors import BadInputError
from wsstool.models.classifier import NORMALIZATIONS, build_classifier, normalise
from wsstool.models.fan.class_head import AttendedPatches
from wsstool.models.fan.sizes import SIZES
from wsstool.models.heads.segformer import SegFormer
from wsstool.models.segmenter import build_segmenter, start_from


def images(n: int, height: int = 48, width: int = 64) -> Tensor:
    return torch.randn(n, 3, height, width, generator=torch.Generator().manual_seed(1))


def scrambled(network: nn.Module, seed: int = 0) -> nn.Module:
    """A network with random values everywhere, so that each of them matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            scale = 1.0 if value.ndim < 2 else (2 / value[0].numel()) ** 0.5
            positive = name.endswith(("gamma", "gamma1", "gamma2", "running_var", "temperature"))
            value.copy_(noise.abs() * 0.5 + 0.5 if positive else noise * scale)
    return network.eval()


@pytest.mark.parametrize("floored", [True, False])
@pytest.mark.parametrize("arch", ["fan-micro", "fan-tiny"])
def test_equals_a_computation_without_modules(arch: str, floored: bool) -> None:
    network = scrambled(build_segmenter(f"segformer-{arch}", 5, floored_positions=floored))
    published = {k.replace("class_attention.", ""): v for k, v in network.state_dict().items()}
    size, x = SIZES[arch], images(1)
    maps = reference.backbone_maps(
        reference.below(published, "backbone."), x, heads=size.heads, tap=size.depth - 1, floored=floored
    )
    with torch.no_grad():
        found = network.backbone.features_of(x, network.scales)
        for ours, theirs in zip(found, maps, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=3e-5 * float(theirs.std()))
        expected = reference.head_logits(reference.below(published, "decode_head."), maps)
        expected = F.interpolate(expected, (48, 64), mode="bilinear", align_corners=False)
        torch.testing.assert_close(network(x), expected, rtol=0, atol=3e-5 * float(expected.std()))
        network.backbone.get_submodule("pos_embed").floored = not floored
        assert float((network(x) - expected).abs().max()) > 1e-2 * float(expected.std())


def test_the_attended_patches_are_those_of_the_published_program(shared: Path) -> None:
    """The fixture holds the tokens after the last class attention, computed with all of it."""
    known = np.load(shared / f"fixtures/parity/{PUBLISHED['fan-tiny']}.npz")
    state = {k: v for k, v in fixture_state(shared).items() if not k.startswith(("head.", "aux_", "norm."))}
    network = build_segmenter("segformer-fan-tiny", 2)
    start_from(network, {f"head.{k}" if k.startswith("cls_") else k: v for k, v in state.items()})
    x = normalise(torch.from_numpy(known["b_image"]).permute(2, 0, 1)[None], *NORMALIZATIONS["imagenet"])
    with torch.no_grad():
        _, _, block, attended = network.eval().backbone.features_of(x, network.scales)
    for ours, theirs in ((block, known["b_block7"]), (attended, known["b_cls1"][:, 1:])):
        distance = np.abs(ours.flatten(2).transpose(1, 2).numpy() - theirs).max()
        assert distance < 3e-5 * theirs.std()


@pytest.mark.parametrize("arch", ["tiny", "resnet-18"])
def test_the_head_on_convolutional_backbones(arch: str) -> None:
    network = scrambled(build_segmenter(f"segformer-{arch}", 4, width=12))
    x = images(1, 64, 96)
    maps = network.backbone.features_of(x, network.scales)
    with torch.no_grad():
        expected = reference.head_logits(network.decode_head.state_dict(), maps)
        torch.testing.assert_close(network.class_maps(x), expected, rtol=0, atol=3e-5 * float(expected.std()))


class TestScales:
    @pytest.mark.parametrize(
        ("arch", "strides", "channels"),
        [
            ("tiny", [2, 4, 8], [24, 48, 160]),
            ("resnet-50", [4, 8, 16, 32], [256, 512, 1024, 2048]),
            ("mobilenet-v2", [4, 8, 16, 32], [24, 32, 96, 320]),  # without its expansion
            ("vgg-16", [4, 8, 16, 32], [256, 512, 512, 512]),
            ("fan-base", [4, 8, 16, 16], [128, 256, 448, 448]),
        ],
    )
    def test_are_the_last_four_of_the_backbone(self, arch: str, strides: list, channels: list) -> None:
        with torch.device("meta"):
            network = build_segmenter(f"segformer-{arch}", 2)
        stages = {stage.name: stage for stage in network.backbone.stages}
        assert [stages[name].stride for name in network.scales] == strides
        assert [stages[name].channels for name in network.scales] == channels

    def test_a_lower_stride_changes_the_grids_and_not_the_parts(self) -> None:
        with torch.device("meta"):
            own, finer = (build_segmenter("segformer-resnet-18", 2, output_stride=s) for s in (None, 8))
        assert own.scales == finer.scales and finer.input_multiple == 8
        maps = finer.eval().backbone.features_of(torch.empty(1, 3, 64, 64, device="meta"), finer.scales)
        assert [m.shape[-1] for m in maps] == [16, 8, 8, 8]

    def test_the_large_fan_is_read_at_block_18_of_22(self) -> None:
        with torch.device("meta"):
            names = {arch: build_segmenter(f"segformer-{arch}", 2).scales for arch in SIZES}
        assert names["fan-large"][2] == "blocks.18" and names["fan-small"][2] == "blocks.9"
        assert {scales[3] for scales in names.values()} == {"class_attention"}


class TestShapes:
    @pytest.mark.parametrize(
        ("arch", "classifier", "dim"),
        [("fan-tiny", 7_467_240, 192), ("fan-base", 50_475_048, 448), ("fan-large", 76_855_140, 480)],
    )
    def test_parameters_as_published(self, arch: str, classifier: int, dim: int) -> None:
        with torch.device("meta"):
            network = build_segmenter(f"segformer-{arch}", 19)
        backbone = classifier - 2 * dim - 1001 * dim + dim - 1000  # without norm and head
        head = 768 * (128 + 256 + 2 * dim + 4) + 3072 * 768 + 2 * 768 + 769 * 19
        assert sum(p.numel() for p in network.parameters()) == backbone + head

    def test_names_of_the_head(self) -> None:
        with torch.device("meta"):
            state = build_segmenter("segformer-fan-base", 19).decode_head.state_dict()
        assert {name: tuple(value.shape) for name, value in state.items()} == {
            **{f"linear_c{i}.proj.weight": (768, c) for i, c in enumerate((128, 256, 448, 448), 1)},
            **{f"linear_c{i}.proj.bias": (768,) for i in range(1, 5)},
            "linear_fuse.conv.weight": (768, 3072, 1, 1),
            **{
                f"linear_fuse.bn.{part}": (768,) for part in ("weight", "bias", "running_mean", "running_var")
            },
            "linear_fuse.bn.num_batches_tracked": (),
            "linear_pred.weight": (19, 768, 1, 1),
            "linear_pred.bias": (19,),
        }

    def test_other_sides_are_padded_by_the_border(self) -> None:
        network, x = scrambled(build_segmenter("segformer-fan-micro", 3, width=8)), images(1, 40, 50)
        with torch.no_grad():
            wide = network(F.pad(x, (0, 14, 0, 8), mode="replicate"))
            assert torch.equal(network(x), wide[..., :40, :50])


class TestLearning:
    def test_all_but_the_class_token_learns(self) -> None:
        """The patch tokens do not depend on the class token, nor on what only it passes through."""
        network = build_segmenter("segformer-fan-micro", 3)
        network(images(2)).square().mean().backward()
        idle = {name for name, p in network.named_parameters() if p.grad is None}
        of_class = ("cls_token", ".gamma2", ".attn.", ".mlp.")
        assert idle == {
            name
            for name, _ in network.named_parameters()
            if ".class_attention." in name and any(part in name for part in of_class)
        }

    def test_attention_is_not_needed_for_the_patches(self) -> None:
        part = scrambled(AttendedPatches(SIZES["fan-micro"]))
        x = torch.randn(2, 96, 3, 4)
        with torch.no_grad():
            tokens = torch.cat([part.cls_token.expand(2, -1, -1), x.flatten(2).transpose(1, 2)], 1)
            expected = part.cls_attn_blocks(tokens)[:, 1:].transpose(1, 2).unflatten(2, (3, 4))
            torch.testing.assert_close(part(x), expected)

    def test_channels_are_dropped_whole_in_training_only(self) -> None:
        head = scrambled(build_segmenter("segformer-tiny", 2, width=64)).decode_head
        kept = []
        head.linear_pred.register_forward_hook(lambda m, inputs, o: kept.append(inputs[0]))
        maps = [torch.randn(2, c, s, s) for c, s in ((24, 16), (48, 8), (160, 4))]
        with torch.no_grad():
            head(*maps)
            head.dropout.train()
            head(*maps)
        plain, dropped = kept
        gone = (dropped == 0).all((2, 3)) & (plain != 0).any(3).any(2)
        assert 0 < float(gone.float().mean()) < 0.3
        torch.testing.assert_close(dropped[~gone], plain[~gone] / 0.9)


class TestStart:
    def test_from_a_classifier_with_its_class_attention(self) -> None:
        classifier = scrambled(build_classifier("fan-micro", 7))
        network = build_segmenter("segformer-fan-micro", 3)
        assert start_from(network, classifier.state_dict()) == "backbone"
        state, source = network.state_dict(), classifier.state_dict()
        for name, value in state.items():
            if name.startswith("backbone.class_attention."):
                assert torch.equal(value, source[name.replace("backbone.class_attention.", "head.")]), name
            elif name.startswith("backbone."):
                assert torch.equal(value, source[name]), name

    def test_from_a_segmenter_of_other_classes(self) -> None:
        first, second = (build_segmenter("segformer-tiny", n, width=8) for n in (3, 5))
        assert start_from(second, first.state_dict()) == "all but the last layer"
        fuse = "decode_head.linear_fuse.conv.weight"
        assert torch.equal(second.state_dict()[fuse], first.state_dict()[fuse])

    def test_another_size_is_named(self) -> None:
        network = build_segmenter("segformer-fan-micro", 3)
        with torch.device("meta"):
            other = build_classifier("fan-tiny", 3)
        with pytest.raises(
            BadInputError, match="x: the weights are those of fan-tiny and do not fit fan-micro"
        ):
            start_from(network, other.state_dict(), "x")

    def test_is_a_segmenter_whose_backbone_can_be_frozen(self) -> None:
        network = build_segmenter("segformer-fan-micro", 3)
        assert isinstance(network, SegFormer)
        network.freeze_backbone()
        assert not any(p.requires_grad for p in network.backbone.parameters())
        assert network.get_submodule(network.default_layer) is network.backbone.class_attention
