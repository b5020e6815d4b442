"""The layers of FAN against other people's, and against slow ones written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.fan.block import FanBlock
from wsstool.models.fan.channel_attention import ChannelAttention, LocalMixing
from wsstool.models.fan.class_attention import ClassAttentionBlock
from wsstool.models.fan.drop_path import DropPath
from wsstool.models.fan.positions import FourierPositions
from wsstool.models.fan.stem import ChannelNorm, padded, stem
from wsstool.models.fan.token_attention import TokenAttention


@pytest.fixture
def xcit():
    pytest.importorskip("timm", reason="timm, the oracle of these layers, is not installed")
    from timm.models import xcit

    return xcit


def scattered(network: nn.Module) -> nn.Module:
    """The network in eval mode with every weight and statistic at random, so that none can be left out."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                drawn = torch.rand(value.shape, generator=generator)
                value.copy_(drawn + 0.5 if name.endswith(("var", "gamma")) else drawn - 0.5)
    return network.eval()


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


class TestAgainstTimm:
    @pytest.mark.parametrize(("rows", "columns"), [(14, 14), (3, 8), (1, 1)])
    def test_positions(self, xcit, rows: int, columns: int) -> None:
        ours = scattered(FourierPositions(24))
        theirs = xcit.PositionalEncodingFourier(dim=24)
        theirs.load_state_dict(ours.state_dict())
        torch.testing.assert_close(ours.encoding(rows, columns), theirs(1, rows, columns))

    def test_class_attention(self, xcit) -> None:
        ours = scattered(ClassAttentionBlock(24, 4))
        norm = lambda dim, **own: nn.LayerNorm(dim, eps=1e-6, **own)  # noqa: E731
        theirs = xcit.ClassAttentionBlock(
            24, 4, qkv_bias=True, norm_layer=norm, eta=1.0, tokens_norm=True
        ).eval()
        theirs.load_state_dict(ours.state_dict())
        x = random(2, 7, 24)
        torch.testing.assert_close(ours(x), theirs(x))

    def test_local_mixing(self, xcit) -> None:
        ours, theirs = scattered(LocalMixing(12)), xcit.LPI(12).eval()
        theirs.load_state_dict(ours.state_dict())
        x = random(2, 15, 12)
        torch.testing.assert_close(ours(x, (3, 5)), theirs(x, 3, 5))


class TestPositions:
    def test_first_feature_is_the_sine_of_the_row(self) -> None:
        layer = FourierPositions(64)
        with torch.no_grad():
            layer.token_projection.weight.copy_(torch.eye(64)[:, :, None, None])
            layer.token_projection.bias.zero_()
        rows = layer.encoding(4, 5)[0, 0]
        assert rows[:, 0].tolist() == pytest.approx(
            [math.sin(math.pi * i / 2) for i in (1, 2, 3, 4)], abs=1e-5
        )
        assert torch.equal(rows, rows[:, :1].expand(4, 5))

    def test_without_the_floor_every_second_wave_is_slower(self) -> None:
        floored, plain = FourierPositions(8), FourierPositions(8, floored=False)
        a, b = (layer._waves(6, torch.device("cpu")) for layer in (floored, plain))
        assert torch.equal(a[::2], b[::2])
        angles = 2 * math.pi * torch.arange(1, 7) / 6
        torch.testing.assert_close(a[1], angles.cos(), atol=1e-5, rtol=0)
        torch.testing.assert_close(b[1], (angles / 10000 ** (1 / 32)).cos(), atol=1e-5, rtol=0)


class TestStem:
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    @pytest.mark.parametrize("unbiased", [True, False])
    def test_the_divisor_does_not_depend_on_the_layout(self, layout, unbiased: bool) -> None:
        norm = scattered(ChannelNorm(6, unbiased=unbiased))
        x = random(2, 6, 3, 4).contiguous(memory_format=layout)
        spread = x.var(1, keepdim=True, correction=int(unbiased))
        expected = (x - x.mean(1, keepdim=True)) / (spread + 1e-6).sqrt()
        expected = expected * norm.weight[:, None, None] + norm.bias[:, None, None]
        torch.testing.assert_close(norm(x), expected)

    def test_only_the_first_norm_is_biased(self) -> None:
        norms = {n: m for n, m in stem((8, 16), (2, 1)).named_modules() if isinstance(m, ChannelNorm)}
        assert len(norms) == 5
        assert [name for name, norm in norms.items() if norm.shrinkage == 1] == ["stem.1"]

    def test_other_sides_are_padded_below_and_on_the_right(self) -> None:
        x = random(1, 3, 33, 48)
        wide = padded(x)
        assert wide.shape == (1, 3, 48, 48)
        assert torch.equal(wide[..., :33, :], x) and not wide[..., 33:, :].any()
        assert padded(wide) is wide

    @pytest.mark.parametrize("size", [(31, 64), (64, 16)])
    def test_small_sides(self, size: tuple[int, int]) -> None:
        with pytest.raises(UsageError, match=f"{size[1]} x {size[0]} pixels is too small"):
            padded(torch.zeros(1, 3, *size))


class TestBlocks:
    def test_token_attention_written_out(self) -> None:
        layer = scattered(TokenAttention(6, 2))
        x = random(1, 5, 6)
        q, (k, v) = layer.q(x), layer.kv(x).split(6, -1)
        heads = []
        for own in (slice(0, 3), slice(3, 6)):
            weights = (q[..., own] @ k[..., own].transpose(1, 2) / 3**0.5).softmax(-1)
            heads.append(weights @ v[..., own])
        torch.testing.assert_close(layer(x), layer.proj(torch.cat(heads, -1)))

    def test_gates_written_out(self) -> None:
        layer = scattered(ChannelAttention(6, 2))
        x = 3 * random(1, 5, 6)
        gates = layer.gates(x)
        assert gates.shape == (1, 2, 3, 1)
        for head in range(2):
            own = slice(3 * head, 3 * head + 3)
            keys = x[0, :, own].softmax(0).mean(1)  # (N)
            for j in range(3):
                query = layer.q(x)[0, :, own][:, j].softmax(0)
                wanted = torch.sigmoid((query * keys).sum()) * layer.temperature[head, 0, 0]
                torch.testing.assert_close(gates[0, head, j, 0], wanted)

    def test_a_block_is_blind_to_the_layout_of_its_map(self) -> None:
        block = scattered(FanBlock(8, 2))
        x = random(2, 8, 3, 4)
        torch.testing.assert_close(block(x), block(x.contiguous(memory_format=torch.channels_last)))

    def test_norm_of_the_values_has_the_larger_epsilon(self) -> None:
        block = FanBlock(8, 2)
        assert (block.norm1.eps, block.norm2.eps, block.mlp.norm_v.eps) == (1e-6, 1e-6, 1e-5)

    def test_drop_path_keeps_the_mean_and_drops_whole_images(self) -> None:
        torch.manual_seed(0)
        dropped = DropPath(0.25)(torch.ones(4000, 2, 3))
        assert torch.equal(dropped, dropped[:, :1, :1].expand_as(dropped))
        assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
        assert float(dropped.mean()) == pytest.approx(1, abs=0.05)
        assert DropPath(0.25).eval()(torch.ones(9)).sum() == 9
