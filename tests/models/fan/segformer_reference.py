"""SegFormer on a FAN from nothing but a published state dict: one function per layer, no modules."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]


def below(state: State, prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def numbered(state: State, prefix: str) -> list[dict[str, Tensor]]:
    numbers = {int(m[1]) for name in state if (m := re.match(re.escape(prefix) + r"(\d+)\.", name))}
    return [below(state, f"{prefix}{i}.") for i in sorted(numbers)]


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def conv(state: State, name: str, x: Tensor, **how: int) -> Tensor:
    return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **how)


def token_norm(state: State, name: str, x: Tensor, eps: float = 1e-6) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def map_norm(state: State, name: str, x: Tensor, *, unbiased: bool = True) -> Tensor:
    scaled = (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, unbiased=unbiased) + 1e-6).sqrt()
    return scaled * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]


def batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, var, weight, bias = (
        state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def convnext(state: State, x: Tensor) -> Tensor:
    y = conv(state, "conv_dw", x, padding=3, groups=x.shape[1])
    y = conv(state, "mlp.fc2", F.gelu(conv(state, "mlp.fc1", map_norm(state, "norm", y))))
    return x + state["gamma"][:, None, None] * y


def positions(state: State, rows: int, columns: int, *, floored: bool) -> Tensor:
    maps = torch.zeros(1, 64, rows, columns)
    for axis, n in enumerate((rows, columns)):
        for i in range(n):
            at = (i + 1) / (n + 1e-6) * 2 * math.pi
            for j in range(32):
                angle = at / 10000 ** ((2 * (j // 2) if floored else j) / 32)
                value = math.sin(angle) if j % 2 == 0 else math.cos(angle)
                (maps[0, j, i] if axis == 0 else maps[0, 32 + j, :, i]).fill_(value)
    return conv(state, "pos_embed.token_projection", maps)


def fan_block(state: State, x: Tensor, grid: tuple[int, int], heads: int) -> Tensor:
    n, dim = x.shape[1:]
    d = dim // heads

    def split(t: Tensor) -> Tensor:
        return t.reshape(1, n, heads, d).permute(0, 2, 1, 3)

    z = token_norm(state, "norm1", x)
    keys, values = linear(state, "attn.kv", z).reshape(1, n, 2, heads, d).permute(2, 0, 3, 1, 4)
    mixing = (split(linear(state, "attn.q", z)) * d**-0.5 @ keys.transpose(-2, -1)).softmax(-1) @ values
    x = x + state["gamma1"] * linear(state, "attn.proj", mixing.permute(0, 2, 1, 3).reshape(1, n, dim))
    z = token_norm(state, "norm2", x)
    queries = split(linear(state, "mlp.q", z)).softmax(2).transpose(-2, -1)
    gate = (queries @ split(z).softmax(2).mean(-1, keepdim=True)).sigmoid() * state["mlp.temperature"]
    u = linear(state, "mlp.mlp_v.fc1", z)
    local, inside = u.transpose(1, 2).reshape(1, 4 * dim, *grid), below(state, "mlp.mlp_v.dwconv.")
    local = batch_norm(inside, "bn", F.gelu(conv(inside, "conv1", local, padding=1, groups=4 * dim)))
    local = conv(inside, "conv2", local, padding=1, groups=4 * dim).flatten(2).transpose(1, 2)
    v = linear(state, "mlp.mlp_v.fc2", state["mlp.mlp_v.gamma"] * local + u)
    v = split(token_norm(state, "mlp.norm_v", v, eps=1e-5))
    out = (gate.transpose(-2, -1) * v).permute(0, 2, 1, 3).reshape(1, n, dim)
    return x + state["gamma2"] * out


def class_block(state: State, x: Tensor, heads: int) -> Tensor:
    dim = x.shape[-1]
    z = token_norm(state, "norm1", x)
    q = linear(state, "attn.q", z[:, :1])

    def split(t: Tensor) -> Tensor:
        return t.reshape(1, -1, heads, dim // heads).permute(0, 2, 1, 3)

    found = F.scaled_dot_product_attention(
        split(q), split(linear(state, "attn.k", z)), split(linear(state, "attn.v", z))
    )
    attended = linear(state, "attn.proj", found.permute(0, 2, 1, 3).reshape(1, 1, dim))
    x = token_norm(state, "norm2", x + state["gamma1"] * torch.cat([attended, z[:, 1:]], 1))
    first = linear(state, "mlp.fc2", F.gelu(linear(state, "mlp.fc1", x[:, :1])))
    return x + torch.cat([state["gamma2"] * first, x[:, 1:]], 1)


def backbone_maps(state: State, x: Tensor, *, heads: int, tap: int, floored: bool) -> list[Tensor]:
    """The four outputs for one image whose sides 16 divides; ``tap``: number of the block that is read."""
    stem = below(state, "patch_embed.backbone.")
    x = map_norm(stem, "stem.1", conv(stem, "stem.0", x, stride=4), unbiased=False)
    for one in numbered(stem, "stages.0.blocks."):
        x = convnext(one, x)
    maps = [x]
    x = conv(stem, "stages.1.downsample.1", map_norm(stem, "stages.1.downsample.0", x), stride=2)
    for one in numbered(stem, "stages.1.blocks."):
        x = convnext(one, x)
    maps.append(x)
    x = conv(state, "patch_embed.proj", x, stride=2)
    grid = (x.shape[-2], x.shape[-1])
    x = x + positions(state, *grid, floored=floored)
    tokens = x.flatten(2).transpose(1, 2)
    for number, one in enumerate(numbered(state, "blocks.")):
        tokens = fan_block(one, tokens, grid, heads)
        if number == tap:
            maps.append(tokens.transpose(1, 2).reshape(1, -1, *grid))
    tokens = torch.cat([state["cls_token"], tokens], 1)
    for one in numbered(state, "cls_attn_blocks."):
        tokens = class_block(one, tokens, heads)
    return [*maps, tokens[:, 1:].transpose(1, 2).reshape(1, -1, *grid)]


def head_logits(state: State, maps: list[Tensor]) -> Tensor:
    """The class maps of SegFormer's head: each scale projected, resized, concatenated, fused, classified."""
    size = maps[0].shape[-2:]
    wide = []
    for number, one in reversed(list(enumerate(maps, 1))):
        tokens = linear(state, f"linear_c{number}.proj", one.flatten(2).transpose(1, 2))
        projected = tokens.transpose(1, 2).reshape(1, -1, *one.shape[-2:])
        wide.append(F.interpolate(projected, size=size, mode="bilinear", align_corners=False))
    fused = batch_norm(state, "linear_fuse.bn", conv(state, "linear_fuse.conv", torch.cat(wide, 1)))
    return conv(state, "linear_pred", fused.clamp(min=0))
