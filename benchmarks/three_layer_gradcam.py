"""Grad-CAM of three layers with ResNet-38d: one forward pass for all, against one pass a class and layer.

    python benchmarks/three_layer_gradcam.py [--size 96] [--patches 1] [--rounds 2]

The published program of WSSS-Tissue makes its maps with one forward and one whole backward pass a class and
layer: twelve of each a patch. We make one forward pass, and one backward pass a class, which ends at the
earliest layer and carries no gradients of weights; the layer before the pooling needs none. Contestants take
turns, so that a busy machine slows all alike; times are of the processor, one thread. The target is 4 x.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from wsstool.cams.gradcam import gradcam
from wsstool.models.classifier import Classifier, build_classifier
from wsstool.models.layers import find_layer

LAYERS = ("b4_5", "b5_2", "bn7")
CLASSES = 4


def one_pass_each(model: Classifier, x: Tensor, *, whole: bool) -> list[list[Tensor]]:
    """Maps by layer and class, one image at a time, one forward and one backward pass for each.

    Args:
        model: in eval mode.
        x: (1, 3, H, W).
        whole: the backward pass goes through the whole network and makes the gradients of all weights, as the
            published program does; else it ends at the layer.
    """
    found = []
    for name in LAYERS:
        row = []
        for c in range(CLASSES):
            kept: list[Tensor] = []
            hook = find_layer(model, name).register_forward_hook(lambda *seen, k=kept: k.append(seen[2]))
            score = model(x)[0, c]
            hook.remove()
            if whole:
                kept[0].retain_grad()
                model.zero_grad()
                score.backward()
                gradient = kept[0].grad
            else:
                (gradient,) = torch.autograd.grad(score, kept[0])
            assert gradient is not None
            row.append((gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].detach())
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=96, help="pixels on a side of a patch")
    parser.add_argument("--patches", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = build_classifier("resnet38d", CLASSES, dropout=0.5, head_bias=False).eval()
    x = torch.rand(options.patches, 3, options.size, options.size)
    targets = torch.ones(options.patches, CLASSES, dtype=torch.bool)

    def plain() -> object:
        with torch.inference_mode():
            return model(x)

    contestants: dict[str, Callable[[], object]] = {
        "plain forward pass": plain,
        "wsstool, three layers": lambda: gradcam(model, x, targets, LAYERS),
        "a pass each, to the layer": lambda: [one_pass_each(model, one[None], whole=False) for one in x],
        "a pass each, as published": lambda: [one_pass_each(model, one[None], whole=True) for one in x],
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    best = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{options.size} px, {options.patches} patches, {CLASSES} classes, 1 thread")
    for name, value in best.items():
        ratio = value / best["wsstool, three layers"]
        print(f"  {name:26s} {value / options.patches:8.2f} s a patch {ratio:7.2f} x wsstool's")
    ours = gradcam(model, x[:1], targets[:1], LAYERS).maps
    theirs = one_pass_each(model, x[:1], whole=False)
    worst = max(
        float((a[0] - torch.stack(b)).abs().max() / torch.stack(b).std())
        for a, b in zip(ours, theirs, strict=True)
    )
    print(f"  largest difference of the maps: {worst:.1e} of their spread")


if __name__ == "__main__":
    main()
