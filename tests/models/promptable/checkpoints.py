"""Checkpoints of Segment Anything: of tiny random networks, and of none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.masks.guides import Colours
from wsstool.stages.networks import promptable

SIDE = 64
"""Side of the square that the tiny network sees."""


def write_tiny_sam(folder: Path, seed: int = 1) -> Path:
    """Write a checkpoint as transformers does, whose masks are neither empty nor full; needs transformers."""
    from transformers import SamConfig, SamModel

    torch.manual_seed(seed)
    model = SamModel(
        SamConfig(
            vision_config={
                "hidden_size": 24, "output_channels": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                "mlp_dim": 32, "image_size": SIDE, "patch_size": 8, "window_size": 4,
                "global_attn_indexes": [1], "num_pos_feats": 8,
            },
            prompt_encoder_config={
                "hidden_size": 16, "image_size": SIDE, "patch_size": 8, "mask_input_channels": 8,
                "image_embedding_size": SIDE // 8,
            },
            mask_decoder_config={
                "hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                "iou_head_hidden_dim": 16,
            },
        )
    )  # fmt: skip
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "norm" not in name:
                one.normal_(std=0.9 / one[0].numel() ** 0.5 if one.dim() > 1 else 0.1)
    model.save_pretrained(folder)
    return folder


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *, content: bytes = b"") -> tuple[Path, Colours]:
    """Write an empty checkpoint that opens as a segmenter by colours, with or without transformers."""
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "sam"}')
    (folder / "model.safetensors").write_bytes(content)
    colours = Colours()
    monkeypatch.setattr(promptable, "check_installed", lambda: None)
    monkeypatch.setattr(promptable, "load_sam", lambda folder, device: colours)
    return folder, colours
