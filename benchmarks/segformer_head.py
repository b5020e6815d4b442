"""What SegFormer's head costs: layer by layer as published, as computed here, and beside the backbone.

    python benchmarks/segformer_head.py [--rounds 5] [--size 512] [--arch fan-base --arch fan-micro]

Processor time of one thread; the three take turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from wsstool.models.heads.segformer import SegFormerHead
from wsstool.models.segmenter import build_segmenter


def layer_by_layer(head: SegFormerHead, features: Sequence[Tensor]) -> Tensor:
    """Project, resize, concatenate, fuse and classify: the values of ``head(*features)``."""
    wide = []
    for name, x in zip(head.names, features, strict=True):
        projected = head.get_submodule(name).proj(x.flatten(2).transpose(1, 2))
        maps = projected.transpose(1, 2).unflatten(2, x.shape[2:])
        wide.append(F.interpolate(maps, features[0].shape[2:], mode="bilinear", align_corners=False))
    fuse = head.linear_fuse
    return head.linear_pred(head.dropout(F.relu(fuse.bn(fuse.conv(torch.cat(wide[::-1], 1))))))


def medians(arch: str, size: int, rounds: int) -> list[float]:
    """Median seconds of the backbone, of the head layer by layer, and of the head."""
    torch.manual_seed(0)
    network = build_segmenter(f"segformer-{arch}", 19).eval()
    x = torch.randn(1, 3, size, size)
    head, backbone, scales = network.decode_head, network.backbone, network.scales
    with torch.inference_mode():
        features = backbone.features_of(x, scales)
        torch.testing.assert_close(head(*features), layer_by_layer(head, features), rtol=1e-3, atol=1e-4)
    ways: tuple[Callable[[], object], ...] = (
        lambda: backbone.features_of(x, scales),
        lambda: layer_by_layer(head, features),
        lambda: head(*features),
    )
    columns = zip(*([_seconds(way) for way in ways] for _ in range(rounds)), strict=True)
    return [statistics.median(column) for column in columns]


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    with torch.inference_mode():
        run()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512, help="rows and columns of the image")
    parser.add_argument("--arch", action="append", help="backbone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for arch in options.arch or ["fan-micro", "mobilenet-v2", "fan-base"]:
        below, plain, ours = medians(arch, options.size, options.rounds)
        print(
            f"  {arch:13s} {options.size} px: backbone {below:.2f} s, head layer by layer {plain:.2f} s, "
            f"head {ours:.2f} s, ratio {ours / plain:.2f}"
        )


if __name__ == "__main__":
    main()
