"""The loop: the same end after an interruption, whatever the workers; sentences when it goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from wsstool.errors import BusyError, CannotWriteError, UsageError, WsstoolError
from wsstool.models.classifier import build_classifier
from wsstool.training.checkpoint import log_path, only_writer, part_path
from wsstool.training.epoch_loader import EpochLoader, item_generator
from wsstool.training.loop import Plan, Progress, finish, fit


class Blobs:
    """Noise whose bright quadrant is its class: 4 classes, drawn anew for every (epoch, item)."""

    def __init__(self, n: int = 26, seed: int = 3) -> None:
        self.n, self.seed = n, seed

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        rng = item_generator(self.seed, *key)
        label = key[1] % 4
        image = torch.tensor(rng.normal(0, 0.3, (3, 32, 32)), dtype=torch.float32)
        image[:, 16 * (label // 2) :, 16 * (label % 2) :] += label + 1
        return image, label


class Toy:
    """Cross-entropy on the tiny classifier with dropout, so that the generator's state matters."""

    def __init__(self, lr_scale: float = 1.0) -> None:
        torch.manual_seed(11)
        self.model = build_classifier("tiny", 4, dropout=0.3)
        self.lr_scale = lr_scale
        self.steps = 0
        self.stop_at = -1
        self.poison_at = -1

    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def parameter_groups(self) -> list[dict]:
        return [
            {"params": self.model.backbone.parameters(), "lr_scale": self.lr_scale},
            {"params": self.model.head.parameters(), "weight_decay": 0.0},
        ]

    def loss(self, batch, progress: Progress) -> dict:
        if progress.step == self.stop_at:
            raise KeyboardInterrupt
        x, y = batch
        loss = nn.functional.cross_entropy(self.model(x), y)
        if progress.step == self.poison_at:
            loss = loss * float("nan")
        self.steps += 1
        return {"loss": loss, "seen": len(y)}

    def validate(self) -> dict[str, float]:
        return {"score": float(self.model.head.weight.abs().mean())}

    def state(self) -> dict:
        return {"steps": self.steps}

    def load_state(self, state: dict) -> None:
        self.steps = state["steps"]


PLAN = Plan(epochs=3, lr=0.05, ema=0.9, clip=5.0, warmup_epochs=0.5, select="score", seed=5)


def run(
    output: Path | None = None, *, plan: Plan = PLAN, workers: int = 0, stop_at: int = -1, identity: str = "a"
):
    task = Toy()
    task.stop_at = stop_at
    return fit(
        task, EpochLoader(Blobs(), 8, seed=5, workers=workers), plan, output=output, identity=identity
    ), task


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def whole():
    return run()[0]


@pytest.mark.parametrize("stop_at", [4, 6, 11])
@pytest.mark.parametrize("minutes", [0.0, 5.0])
def test_resumed_run_ends_as_an_uninterrupted_one(tmp_path, whole, stop_at, minutes) -> None:
    output = tmp_path / "x.pth"
    plan = Plan(**{**vars(PLAN), "checkpoint_minutes": minutes})
    with pytest.raises(KeyboardInterrupt):
        run(output, plan=plan, stop_at=stop_at)
    assert part_path(output).exists()
    result, task = run(output, plan=plan)
    assert 0 < result.resumed_from <= stop_at
    assert (minutes > 0) or result.resumed_from == stop_at
    assert equal(result.states["model"], whole.states["model"])
    assert task.steps == 12
    for ours, theirs in zip(result.history, whole.history, strict=True):
        assert {k: v for k, v in ours.items() if k != "seconds"} == {
            k: v for k, v in theirs.items() if k != "seconds"
        }
    lines = [json.loads(line) for line in log_path(output).read_text().splitlines()]
    assert lines == result.history
    finish(output)
    assert not part_path(output).exists()


def test_killed_process_resumes_to_equal_weights(tmp_path, whole) -> None:
    output = tmp_path / "x.pth"
    code = (
        "import sys, time, torch\nsys.path[:0] = [sys.argv[2]]; torch.set_num_threads(int(sys.argv[3]))\n"
        "from pathlib import Path\nfrom tests.training.test_loop import *\n"
        "original = Toy.loss\n"
        "def slow(self, batch, progress):\n"
        "    time.sleep(0.3)\n"
        "    return original(self, batch, progress)\n"
        "Toy.loss = slow\n"
        "run(Path(sys.argv[1]), plan=Plan(**{**vars(PLAN), 'checkpoint_minutes': 0.0}))\n"
    )
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen([sys.executable, "-c", code, str(output), root, str(torch.get_num_threads())])
    deadline = time.monotonic() + 60
    while not part_path(output).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    result, _ = run(output)
    assert result.resumed_from > 0
    assert equal(result.states["model"], whole.states["model"])


def test_workers_do_not_matter(whole) -> None:
    assert equal(run(workers=2)[0].states["model"], whole.states["model"])


def test_checkpoint_of_another_run_is_not_continued(tmp_path, whole) -> None:
    output = tmp_path / "x.pth"
    with pytest.raises(KeyboardInterrupt):
        run(output, stop_at=9, identity="other")
    result, _ = run(output)
    assert result.resumed_from == 0
    assert equal(result.states["model"], whole.states["model"])


def test_damaged_checkpoint_starts_over(tmp_path, whole) -> None:
    output = tmp_path / "x.pth"
    with pytest.raises(KeyboardInterrupt):
        run(output, stop_at=9)
    part = part_path(output)
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    assert equal(run(output)[0].states["model"], whole.states["model"])


def test_nan_stops_with_step_and_cause(tmp_path) -> None:
    task = Toy()
    task.poison_at = 5
    with pytest.raises(WsstoolError, match=r"step 6 of 12.*learning rate"):
        fit(task, EpochLoader(Blobs(), 8, seed=5), PLAN, output=tmp_path / "x.pth")
    assert part_path(tmp_path / "x.pth").exists()


def test_nan_in_the_data_is_told_apart() -> None:
    class Broken(Blobs):
        def __getitem__(self, key):
            return torch.full((3, 32, 32), float("nan")), 0

    with pytest.raises(WsstoolError, match="the batch itself"):
        fit(Toy(), EpochLoader(Broken(), 8), PLAN)


def test_learns_the_toy_set() -> None:
    task = Toy()
    result = fit(task, EpochLoader(Blobs(64), 16, seed=0), Plan(epochs=8, lr=0.1, schedule="cosine"))
    assert result.history[-1]["loss"] < 0.3 < result.history[0]["loss"]
    x, y = zip(*(Blobs(64)[99, i] for i in range(64)), strict=True)
    with torch.no_grad():
        guesses = task.model.eval()(torch.stack(x)).argmax(1)
    assert (guesses == torch.tensor(y)).float().mean() > 0.9


class Scored(Toy):
    """A toy whose epochs have the given scores, and that keeps a copy of what was validated."""

    def __init__(self, *scores: float) -> None:
        super().__init__()
        self.scores, self.validated = iter(scores), []

    def validate(self):
        self.validated.append({k: v.clone() for k, v in self.model.state_dict().items()})
        return {"score": next(self.scores)}


@pytest.mark.parametrize(
    ("scores", "best"),
    [((0.2, 0.9, 0.4), 1), ((0.9, 0.4, 0.2), 0), ((0.2, 0.4, 0.9), 2), ((0.2, 0.9, 0.9), 1)],
    ids=["middle", "first", "last", "first of equals"],
)
def test_the_weights_of_the_best_epoch_are_kept(scores, best) -> None:
    task = Scored(*scores)
    result = fit(task, EpochLoader(Blobs(8), 8, seed=5), PLAN)
    assert result.best_epoch == best
    assert [equal(result.states["model"], one) for one in task.validated] == [k == best for k in range(3)]


def test_cool_down_goes_on_at_the_last_rate() -> None:
    task, epochs = Toy(), []
    original = task.loss
    task.loss = lambda batch, progress: epochs.append(progress.epochs) or original(batch, progress)
    plan = Plan(epochs=2, lr=0.1, schedule="cosine", min_lr=0.01, cooldown_epochs=2)
    result = fit(task, EpochLoader(Blobs(8), 8), plan)
    assert [one["lr"] for one in result.history] == pytest.approx([0.1, 0.055, 0.01, 0.01])
    assert epochs == [4] * 4 and task.steps == 4


def test_a_frozen_scale_moves_nothing() -> None:
    task = Toy(lr_scale=0.0)
    before = {k: v.clone() for k, v in task.model.backbone.named_parameters()}
    fit(task, EpochLoader(Blobs(), 8), Plan(epochs=1, lr=0.1))
    assert equal(before, {k: v.detach() for k, v in task.model.backbone.named_parameters()})


def test_one_writer_an_output(tmp_path) -> None:
    with only_writer(tmp_path / "x.pth"), pytest.raises(BusyError), only_writer(tmp_path / "x.pth"):
        pass
    with only_writer(tmp_path / "x.pth"):
        pass
    assert not list(tmp_path.iterdir())


def test_missing_folder_cannot_be_written(tmp_path) -> None:
    with pytest.raises(CannotWriteError), only_writer(tmp_path / "no" / "x.pth"):
        pass
    with pytest.raises(CannotWriteError):
        run(tmp_path / "no" / "x.pth")


def test_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch) -> None:
    output = tmp_path / "x.pth"
    with pytest.raises(KeyboardInterrupt):
        run(output, stop_at=5)
    before = part_path(output).read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        run(output)
    assert part_path(output).read_bytes() == before
    assert not (tmp_path / "x.pth.part.new").exists()


@pytest.mark.parametrize(
    "change",
    [{"optimizer": "nadir"}, {"schedule": "nadir"}, {"select": "nadir"}, {"epochs": 0}, {"min_lr": 1.0}],
)
def test_unknown_names_are_usage_errors(change) -> None:
    with pytest.raises(UsageError):
        run(plan=Plan(**{**vars(PLAN), **change}))


@pytest.mark.parametrize(
    "n, size, length, dropped", [(26, 8, 4, 3), (25, 8, 3, 3), (5, 8, 1, 1), (3, 1, 3, 3)]
)
def test_batches_an_epoch(n, size, length, dropped) -> None:
    assert len(EpochLoader(Blobs(n), size)) == length
    assert len(EpochLoader(Blobs(n), size, drop_last=True)) == dropped
    batches = list(EpochLoader(Blobs(n), size).batches(0))
    assert len(batches) == length and all(len(y) > 1 or size == 1 for _, y in batches)
