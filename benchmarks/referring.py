"""What referring networks cost against their backbone: processor time, medians.

    python benchmarks/referring.py [--arch bcam-resnet-101 ...] [--rounds 5] [--size 320] [--threads 1]

The backbone is that of the network, at its output stride, on one image. The contestants take turns, so that a
busy machine slows all of them alike; on a CPU processor time is measured, which does not count the wait for
others. The targets are 1.25 x for one sentence and 5 x for ten sentences on one image. Words in the last n
stages only (``fusions``) leave more of the work to the image: the share of the backbone behind the first
fusion, times ten, is a lower bound for ten sentences.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from wsstool.models.referring.build import ReferringNetwork, build_referring

ARCHS = ("bcam-resnet-101", "bcam-mobilenet-v2", "bcam-tiny", "brinet-mobilenet-v2")
WORDS, LENGTH = 10_000, 8
"""Size of the vocabulary and length of a sentence."""


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """Processor time of a call; on an accelerator the time until it has finished."""
    if device.type == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def contestants(
    network: ReferringNetwork, size: int, device: torch.device
) -> dict[str, Callable[[], object]]:
    """Name -> what to run."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, size, size, generator=generator).to(device, memory_format=torch.channels_last)
    words = torch.zeros(10, 20, dtype=torch.int64)
    words[:, -LENGTH:] = torch.randint(2, WORDS, (10, LENGTH), generator=generator)
    words, image_of = words.to(device), torch.zeros(10, dtype=torch.int64, device=device)
    return {
        "backbone": lambda: network.backbone(image),
        "one sentence": lambda: network(image, words[:1], image_of[:1]),
        "ten sentences": lambda: network(image, words, image_of),
    }


def measure(network: ReferringNetwork, size: int, rounds: int, device: torch.device) -> dict[str, float]:
    """Median seconds of each contestant."""
    runs = contestants(network, size, device)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with torch.inference_mode():
        for i in range(rounds + 1):
            for name, run in runs.items():
                spent = seconds_of(run, device)
                if i:  # the first round warms up
                    seconds[name].append(spent)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", nargs="+", default=ARCHS)
    parser.add_argument("--fusions", nargs="+", type=int, default=(3, 2, 1))
    parser.add_argument("--width", type=int, help="channels inside the attentions")
    parser.add_argument("--output-stride", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    print(f"{options.size} px, {device}, {options.threads} thread(s), median of {options.rounds}")
    print(
        f"{'':22s} fusions {'backbone':>12s} {'one':>7s} {'ten':>7s}   images/s with one, sentences/s of ten"
    )
    for arch in options.arch:
        for fusions in options.fusions:
            torch.manual_seed(0)
            network = build_referring(
                arch, WORDS, fusions=fusions, width=options.width, output_stride=options.output_stride
            )
            network = network.eval().to(device, memory_format=torch.channels_last)
            found = measure(network, options.size, options.rounds, device)
            backbone, one, ten = found["backbone"], found["one sentence"], found["ten sentences"]
            print(
                f"{arch:22s} {fusions:7d} {1000 * backbone:9.1f} ms {one / backbone:5.2f} x "
                f"{ten / backbone:5.2f} x {1 / one:12.1f} {10 / ten:12.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
