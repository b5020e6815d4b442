"""FAN as a backbone and as a classifier: maps of every part, options, and gradients everywhere."""

from __future__ import annotations

import pytest
import torch

from wsstool.cams.gradcam import gradcam
from wsstool.errors import UsageError
from wsstool.models.backbones import build_backbone
from wsstool.models.classifier import build_classifier
from wsstool.models.dense import rarefy
from wsstool.models.fan.drop_path import DropPath
from wsstool.models.fan.sizes import SIZES
from wsstool.models.fan_classifier import FanClassifier, build_fan_classifier
from wsstool.models.segmenter import build_segmenter


@pytest.fixture
def model() -> FanClassifier:
    torch.manual_seed(0)
    return build_fan_classifier("fan-micro", 3, token_head=True).eval()


def images(n: int, height: int = 48, width: int = 64) -> torch.Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(1))


def rates(network: torch.nn.Module) -> set[float]:
    return {module.rate for module in network.modules() if isinstance(module, DropPath)}


class TestBackbone:
    def test_parts(self) -> None:
        backbone = build_backbone("fan-micro")
        stages = {stage.name: (stage.stride, stage.channels) for stage in backbone.stages}
        assert stages == {
            "patch_embed.backbone.stem": (4, 32),
            "patch_embed.backbone.stages.0": (4, 32),
            "patch_embed.backbone.stages.1": (8, 64),
            **{
                name: (16, 96)
                for name in ("patch_embed.proj", "pos_embed", *(f"blocks.{i}" for i in range(4)))
            },
        }

    def test_maps_of_several_parts_from_one_pass(self) -> None:
        backbone, x = build_backbone("fan-micro").eval(), images(1)
        with torch.no_grad():
            fine, last = backbone.with_fine(x, "patch_embed.backbone.stages.0")
            assert fine.shape == (1, 32, 12, 16) and last.shape == (1, 96, 3, 4)
            assert torch.equal(last, backbone(x))

    def test_other_sides_are_padded(self) -> None:
        backbone, x = build_backbone("fan-micro").eval(), images(1, 40, 50)
        wide = torch.nn.functional.pad(x, (0, 14, 0, 8))
        with torch.no_grad():
            assert torch.equal(backbone(x), backbone(wide))

    @pytest.mark.parametrize("stride", [8, 32])
    def test_its_stride_is_fixed(self, stride: int) -> None:
        with pytest.raises(UsageError, match=r"fan-micro cannot have output stride \d+; possible is 16"):
            build_backbone("fan-micro", output_stride=stride)

    @pytest.mark.parametrize("head", ["linear", "pyramid", "deeplabv3plus"])
    def test_under_heads_of_segmentation(self, head: str) -> None:
        network = build_segmenter(f"{head}-fan-micro", 3)
        assert network(images(2)).shape == (2, 3, 48, 64) and rates(network) == {0.0}
        network(images(2)).square().mean().backward()
        assert all(p.grad is not None for p in network.parameters())

    def test_scores_that_do_not_move_with_the_image_are_not_rarefied(self) -> None:
        with pytest.raises(UsageError, match=r"layers that see the whole image \(attention"):
            rarefy(_with_one_score_map())


def _with_one_score_map() -> torch.nn.Module:
    network = build_segmenter("fcn16s-fan-micro", 2)
    network.taps = network.taps[:1]
    return network


class TestClassifier:
    def test_one_pass_gives_both(self, model: FanClassifier) -> None:
        x = images(2, 48, 70)
        with torch.no_grad():
            logits, maps = model.with_token_maps(x)
            assert logits.shape == (2, 3) and maps.shape == (2, 3, 3, 5)
            assert torch.equal(logits, model(x))

    def test_images_of_a_batch_do_not_meet(self, model: FanClassifier) -> None:
        x = images(3)
        with torch.no_grad():
            torch.testing.assert_close(model(x)[1:2], model(x[1:2]))

    def test_every_weight_learns(self, model: FanClassifier) -> None:
        logits, maps = model.train().with_token_maps(images(2))
        (logits.square().mean() + maps.square().mean()).backward()
        assert all(p.grad is not None for p in model.parameters())

    def test_drop_path_is_that_of_the_published_training(self) -> None:
        with torch.device("meta"):
            for arch, size in SIZES.items():
                assert rates(build_classifier(arch, 2)) == {size.drop_path}
            assert rates(build_fan_classifier("fan-base", 2, drop_path=0.05)) == {0.05}

    def test_start_weights(self) -> None:
        torch.manual_seed(0)
        with_tokens, without = (build_fan_classifier("fan-micro", 50, token_head=t) for t in (True, False))
        assert float(with_tokens.head.head.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
        large = build_fan_classifier("fan-large", 50).head.head.weight
        assert float(large.detach().std()) == pytest.approx(0.02 * 0.001, rel=0.1)
        block = without.backbone.get_submodule("blocks.0")
        assert float(block.mlp.mlp_v.dwconv.conv1.weight.detach().std()) == pytest.approx(
            (2 / 9) ** 0.5, rel=0.1
        )
        assert not block.attn.kv.bias.any()
        stem = without.backbone.get_submodule("patch_embed.backbone")
        assert float(stem.stages[1].downsample[1].weight.detach().std()) == pytest.approx(0.02, rel=0.1)
        assert torch.equal(stem.stages[0].blocks[0].gamma, torch.full((32,), 1e-6))

    def test_gradcam_of_any_part(self, model: FanClassifier) -> None:
        layers = ("patch_embed.backbone.stages.1", "blocks.1", "backbone.blocks.3")
        x, targets = images(2), torch.tensor([[1, 0, 1], [0, 1, 0]], dtype=torch.bool)
        found = gradcam(model, x, targets, layers)
        assert [m.shape for m in found.maps] == [(2, 3, 6, 8), (2, 3, 3, 4), (2, 3, 3, 4)]
        kept = []
        hook = model.get_submodule(model.default_layer).register_forward_hook(lambda m, i, o: kept.append(o))
        (gradient,) = torch.autograd.grad(model(x)[0, 2], kept)
        hook.remove()
        expected = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0]
        torch.testing.assert_close(found.maps[2][0, 2], expected.detach(), rtol=1e-4, atol=1e-6)
        assert not found.maps[2][0, 1].any()

    def test_without_token_head(self) -> None:
        with pytest.raises(UsageError, match="no token head"):
            build_fan_classifier("fan-micro", 2).with_token_maps(images(1))

    def test_options_that_it_has_not(self) -> None:
        with pytest.raises(UsageError, match="--pool max: fan-micro uses a class token"):
            build_classifier("fan-micro", 2, pool="max")
        with pytest.raises(UsageError, match="tiny has no tokens"):
            build_classifier("tiny", 2, token_head=True)
