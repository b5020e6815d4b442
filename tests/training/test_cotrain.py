"""The ways to learn from wrong masks: exchange, limit laws, purity, resumption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from wsstool.errors import UsageError
from wsstool.registry import COTRAINERS
from wsstool.training.cotraining import small_loss_task as selecting
from wsstool.training.cotraining.segmentation_task import CoTraining, Setup
from wsstool.training.epoch_loader import EpochLoader
from wsstool.training.loop import fit
from wsstool.training.plan import Plan, Progress

NAMES = ("ground", "cat", "dog")
COLOURS = torch.tensor([[90, 90, 90], [180, 80, 60], [60, 90, 180]])


class Pixels(nn.Module):
    """A small network on neighbourhoods of 3 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def build(number: int) -> nn.Module:
    torch.manual_seed(100 + number)
    return Pixels()


def world(n: int = 12, wrong: float = 0.3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy colour blocks, labels of which a share is wrong, and the truth."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 3, (n, 4, 4), generator=generator)
    truth = coarse.repeat_interleave(6, 1).repeat_interleave(6, 2)
    noise = 20 * torch.randn(n, 3, 24, 24, generator=generator)
    images = (COLOURS[truth].movedim(-1, 1) + noise).clamp(0, 255).to(torch.uint8)
    flip = torch.rand(truth.shape, generator=generator) < wrong
    shift = torch.randint(1, 3, truth.shape, generator=generator)
    labels = torch.where(flip, (truth + shift) % 3, truth)
    labels[:, :2] = 255
    return images, labels[:, None].to(torch.uint8), truth


class Items(torch.utils.data.Dataset[Any]):
    def __init__(self, *columns: torch.Tensor) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, ...]:
        return tuple(column[key[1]] for column in self.columns)


def make(method: str, **setup: Any) -> CoTraining:
    own = setup.pop("own", {})
    return COTRAINERS.load(method)(
        Setup(**{"build": build, "class_names": NAMES, "background": 0, **setup}), **own
    )


def train(task: CoTraining, epochs: int = 6, **more: Any) -> Any:
    images, labels, _ = world()
    loader = EpochLoader(Items(images, labels), 4, seed=1)
    plan = Plan(epochs=epochs, lr=0.05, optimizer="adam", schedule="constant", weight_decay=0.0)
    return fit(task, loader, plan, **more)


def accuracy(network: nn.Module, task: CoTraining) -> float:
    images, labels, truth = world()
    with torch.no_grad():
        found = network.eval()(task.prepared((images, labels))[0]).argmax(dim=1)
    return float((found == truth).float().mean())


def at(step: int, steps: int = 100) -> Progress:
    return Progress(0, 1, step, steps)


@pytest.mark.parametrize("method", COTRAINERS.names())
def test_every_way_learns_and_keeps_to_the_protocol(method: str) -> None:
    task = make(method, noise_rate=0.3)
    result = train(task)
    assert result.history[-1]["loss"] < result.history[0]["loss"] or method != "plain"
    assert accuracy(task.trained()[0], task) > 0.9
    assert set(result.states) == set(task.modules())
    assert len(task.trained()) == (2 if method == "coteaching" else 1)


@pytest.mark.parametrize("method", COTRAINERS.names())
@pytest.mark.parametrize("loss", ["generalised", "symmetric"])
def test_a_batch_without_labels_has_no_gradient_to_give(method: str, loss: str) -> None:
    task = make(method, noise_rate=0.2, own={"loss": loss})
    images, labels, _ = world(2)
    terms = task.loss((images, torch.full_like(labels, 255)), at(0))
    assert torch.isfinite(terms["loss"])
    if method != "ema-teacher":
        assert terms["loss"].item() == 0.0


def test_the_two_networks_start_differently() -> None:
    first, second = make("coteaching").networks
    assert not torch.equal(first.layers[0].weight, second.layers[0].weight)


def test_exchange_goes_crosswise(monkeypatch: pytest.MonkeyPatch) -> None:
    """What network 1 finds easy trains network 2, and the other way round."""
    task = make("coteaching", noise_rate=0.3, own={"ramp": 0.0})
    images, labels, _ = world(2)
    chosen = [torch.zeros(2, 24, 24, dtype=torch.bool) for _ in range(2)]
    chosen[0][:, 5], chosen[1][:, 12] = True, True
    answers = iter(chosen)
    monkeypatch.setattr(selecting, "small_loss_pixels", lambda *_, **__: next(answers))
    terms = task.loss((images, labels), at(50))
    x = task.prepared((images, labels))[0]
    want = 0.0
    for network, row in zip(task.networks, (12, 5), strict=True):
        want += nn.functional.cross_entropy(network(x)[:, :, row], labels[:, 0, row].long()).item()
    assert terms["loss"].item() == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("method", ["coteaching", "self-training"])
def test_noise_rate_zero_is_plain_training(method: str) -> None:
    selected, ordinary = make(method, noise_rate=0.0), make("plain")
    train(selected, epochs=2)
    train(ordinary, epochs=2)
    for a, b in zip(selected.networks[0].parameters(), ordinary.networks[0].parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_identical_networks_are_self_training() -> None:
    def same(number: int) -> nn.Module:
        return build(0)

    both, alone = (
        make("coteaching", noise_rate=0.3, build=same),
        make("self-training", noise_rate=0.3, build=same),
    )
    train(both, epochs=2)
    train(alone, epochs=2)
    for a, b in zip(both.networks[0].parameters(), both.networks[1].parameters(), strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(both.networks[0].parameters(), alone.networks[0].parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("method", ["coteaching", "self-training"])
def test_kept_pixels_are_cleaner_than_dropped_ones(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make(method, noise_rate=0.3)
    train(task)
    images, labels, truth = world()
    choices: list[torch.Tensor] = []
    original = selecting.small_loss_pixels

    def noted(*arguments: Any, **options: Any) -> torch.Tensor:
        choices.append(original(*arguments, **options))
        return choices[-1]

    monkeypatch.setattr(selecting, "small_loss_pixels", noted)
    task.loss((images, labels), at(99))
    clean, valid = labels[:, 0] == truth, labels[:, 0] != 255
    for kept in choices:
        assert kept.sum() == round(0.7 * int(valid.sum()))
        assert clean[kept].float().mean() > 0.95
        assert clean[valid & ~kept].float().mean() < 0.15


@pytest.mark.parametrize(("wrong", "tolerance"), [(0.0, 0.03), (0.3, 0.06)])
def test_auto_finds_the_noise_rate(wrong: float, tolerance: float) -> None:
    task = make("coteaching", noise_rate=None, own={"warmup": 0.5})
    images, labels, _ = world(wrong=wrong)
    loader = EpochLoader(Items(images, labels), 4, seed=1)
    result = fit(task, loader, Plan(epochs=6, lr=0.01, optimizer="adam", schedule="constant"))
    assert result.history[-1]["noise_rate"] == pytest.approx(wrong, abs=tolerance)
    assert result.history[0]["dropped"] == 0.0
    assert set(result.history[-1]["dropped_by_class"]) == set(NAMES)


class Heard:
    """Messages that are kept."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def track(self, total: int, what: str) -> Any:
        raise AssertionError("not used")


@pytest.mark.parametrize(("rate", "n_warnings"), [(0.1, 0), (0.6, 1)])
def test_large_drops_of_foreground_are_told(rate: float, n_warnings: int) -> None:
    heard = Heard()
    task = make("coteaching", noise_rate=rate, own={"ramp": 0.0}, messages=heard)
    task.loss(world(4)[:2], at(0))
    assert task.end_epoch(at(1))["dropped"] == pytest.approx(rate, abs=1e-3)
    assert len(heard.warnings) == n_warnings
    assert "dropped" not in task.end_epoch(at(2))  # counted anew


@pytest.mark.parametrize("method", ["coteaching", "ema-teacher"])
def test_an_interrupted_run_ends_the_same(method: str, tmp_path: Path) -> None:
    def run(output: Path | None, stop_at: int | None = None) -> CoTraining:
        task = make(method, noise_rate=None if method == "coteaching" else 0.0)
        if stop_at is not None:
            loss = task.loss

            def stopping(batch: Any, progress: Progress) -> dict[str, Any]:
                if progress.step == stop_at:
                    raise KeyboardInterrupt
                return loss(batch, progress)

            task.loss = stopping  # type: ignore[method-assign]
        train(task, epochs=5, output=output, identity="same")
        return task

    whole = run(None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "seg.pth", stop_at=14)
    resumed = run(tmp_path / "seg.pth")
    for name, module in whole.modules().items():
        for a, b in zip(
            module.state_dict().values(), resumed.modules()[name].state_dict().values(), strict=True
        ):
            assert torch.equal(a, b)


def test_teacher_is_the_average_by_hand() -> None:
    task = make("ema-teacher", own={"decay": 0.5})
    student, teacher = task.networks[0], task.trained()[0]
    assert not any(p.requires_grad for p in teacher.parameters())
    start = student.layers[0].bias.detach().clone()
    with torch.no_grad():
        student.layers[0].bias += 1.0
    task.after_step(at(0))
    torch.testing.assert_close(teacher.layers[0].bias, start + 0.9)  # decay is (1 + 0) / (10 + 0) at first
    task.after_step(at(10_000))
    torch.testing.assert_close(teacher.layers[0].bias, start + 0.95)


def test_teacher_speaks_for_pixels_without_a_label() -> None:
    images, labels, _ = world(2)
    nothing = torch.full_like(labels, 255)
    silent = make("ema-teacher", own={"teacher_weight": 0.0})
    assert silent.loss((images, nothing), at(99))["loss"].item() == 0.0
    assert make("ema-teacher").loss((images, nothing), at(99))["loss"].item() > 0.0


def test_several_label_maps_are_weighted() -> None:
    images, labels, _ = world(2)
    both = torch.cat([labels, (labels + 1) % 3], dim=1)
    task = make("plain", layer_weights=(0.75, 0.25))
    logits = task.networks[0](task.prepared((images, both))[0])
    parts = [nn.functional.cross_entropy(logits, both[:, l].long(), ignore_index=255) for l in range(2)]
    got = task.loss((images, both), at(0))["loss"]
    torch.testing.assert_close(got, 0.75 * parts[0] + 0.25 * parts[1])


@pytest.mark.parametrize("own", [{"pool": "region"}, {"noise_rate": 1.0}, {"noise_rate": -0.1}])
def test_wrong_options(own: dict[str, Any]) -> None:
    rate = own.pop("noise_rate", 0.1)
    with pytest.raises(UsageError):
        make("coteaching", noise_rate=rate, own=own)
