"""A step of a student of token labels, against a step on the class token and a forward pass of the teacher.

    python benchmarks/token_labels.py [--arch fan-micro] [--teacher fan-micro] [--size 128] [--batch 8]

A step is forward pass, backward pass and AdamW on one batch, mixed as in the recipe; images are random and
already decoded. Contestants take turns, so that a busy machine slows all alike; times are of the processor,
one thread, medians over the rounds. The target is (student - teacher) / plain of at most 1.5.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from wsstool.models.classifier import NORMALIZATIONS, build_classifier
from wsstool.models.fan_classifier import FanClassifier
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.losses.classification import class_loss
from wsstool.training.mixing import Mixing
from wsstool.training.plan import Progress
from wsstool.training.token_terms import Labeler, PooledTokens, TokenLabels, TokenTerms


def stepper(
    arch: str, classes: int, batch: list[torch.Tensor], terms: TokenTerms | None
) -> Callable[[], None]:
    """Return a training step of a network with these terms of the loss."""
    mean, std = NORMALIZATIONS["imagenet"]
    model = build_classifier(arch, classes, token_head=terms is not None)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = ClassificationTask(
        model, mean=mean, std=std, loss="cross-entropy", mixing=Mixing(0.8, 1.0), token_terms=terms
    )
    groups = [{k: v for k, v in group.items() if k != "lr_scale"} for group in task.parameter_groups()]
    optimizer = torch.optim.AdamW(groups, lr=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        task.loss(batch, Progress(0, 1, 0, 1))["loss"].backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arch", default="fan-micro")
    parser.add_argument("--teacher", default="fan-micro")
    parser.add_argument("--size", type=int, default=128, help="pixels on a side of an image")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    noisy, clean = (
        torch.randint(0, 256, (options.batch, 3, options.size, options.size)).byte() for _ in range(2)
    )
    tags = torch.eye(options.classes)[torch.arange(options.batch) % options.classes]
    teacher = build_classifier(options.teacher, options.classes, token_head=True).eval()
    assert isinstance(teacher, FanClassifier)
    teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    labeler = Labeler(*NORMALIZATIONS["imagenet"], teacher)
    batch = [noisy, tags, clean]
    contestants: dict[str, Callable[[], object]] = {
        "plain": stepper(options.arch, options.classes, batch, None),
        "labeler": stepper(options.arch, options.classes, batch, PooledTokens(class_loss("cross-entropy"))),
        "student": stepper(options.arch, options.classes, batch, TokenLabels(labeler)),
        "teacher": lambda: labeler(teacher, clean),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(options.rounds + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            if number:  # the first round warms up
                times[name].append(time.process_time() - start)
    plain, labeled, student, forward = (statistics.median(times[name]) for name in contestants)
    print(
        f"{options.arch}, {options.batch} images of {options.size} px, taught by {options.teacher}: "
        f"plain step {plain * 1e3:.0f} ms, labeler {labeled * 1e3:.0f} ms, student {student * 1e3:.0f} ms, "
        f"teacher's forward pass {forward * 1e3:.0f} ms"
    )
    ratio = (student - forward) / plain
    print(f"labeler / plain {labeled / plain:.2f}; (student - teacher) / plain {ratio:.2f}")


if __name__ == "__main__":
    main()
