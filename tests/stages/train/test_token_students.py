"""train-cls with a labeler and its students: files, histories, interruptions, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.messages import Heard
from tests.stages.toy import interrupted, write_rectangles
from wsstool.cli.app import app
from wsstool.cli.recipe_file import defaults_of
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.models.classifier import build_classifier
from wsstool.models.weights import load_weights, save_weights
from wsstool.stages.options.trainers.train_cls import TrainClsOptions
from wsstool.stages.program.sample import sample
from wsstool.stages.train.train_classifier import train_cls
from wsstool.training.classification_task import ClassificationTask
from wsstool.training.loop import fit

pytestmark = pytest.mark.slow  # trainings and runs that are interrupted

FAST = {
    "arch": "fan-micro",
    "token_head": True,
    "image_size": 32,
    "epochs": 2,
    "batch_size": 4,
    "workers": 0,
    "device": "cpu",
}
NOISE = {"rand_augment": 9, "erasing": 0.3, "mixup": 0.8, "cutmix": 1.0}
NAMES = ["ground", "cat", "dog"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_rectangles(tmp_path / "data", 8)


@pytest.fixture
def labeler(tmp_path: Path) -> Path:
    """A labeler with random weights whose outputs come in another order than the classes of ``data``."""
    return write_teacher(tmp_path / "labeler.pth", NAMES[::-1])


def write_teacher(path: Path, names: list[str], **more) -> Path:
    torch.manual_seed(5)
    arch, has_tokens = more.get("arch", "fan-micro"), more.get("token_head", True)
    model = build_classifier(arch, len(names), token_head=has_tokens)
    meta = {
        "arch": arch,
        "task": "classification",
        "classes": names,
        "class_ids": list(range(len(names))),
        "background": -1,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "token_head": has_tokens,
    }
    save_weights(path, model.state_dict(), meta)
    return path


def equal_weights(one: Path, two: Path) -> bool:
    a, b = load_weights(one).state_dict, load_weights(two).state_dict
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


class TestStudent:
    @pytest.mark.parametrize("form", ["gumbel", "soft", "argmax", "online"])
    def test_learns_and_describes_itself(self, data, labeler, tmp_path, form):
        output = tmp_path / "student.pth"
        teacher = None if form == "online" else labeler
        found = train_cls(data, output=output, teacher=teacher, token_labels=form, **FAST, **NOISE)
        assert found["dense_loss"] > 0 and "train_exact_match" not in found
        meta = load_weights(output).meta
        assert meta["token_head"] and meta["params"]["token_labels"] == form
        assert (f"--teacher {labeler}" in meta["provenance"][-1]["command"]) == (form != "online")
        again = train_cls(data, output=output, teacher=teacher, token_labels=form, **FAST, **NOISE)
        assert again["up_to_date"]

    def test_depends_on_the_teacher_and_its_view_and_not_on_workers(self, data, labeler, tmp_path):
        one, two, other = (tmp_path / f"{name}.pth" for name in ("one", "two", "other"))
        train_cls(data, output=one, teacher=labeler, **FAST, **NOISE)
        train_cls(data, output=two, teacher=labeler, **{**FAST, "workers": 2}, **NOISE)
        assert one.read_bytes() == two.read_bytes()
        assert load_weights(one).meta["params"]["token_labels"] == "gumbel"
        train_cls(data, output=other, teacher=labeler, teacher_view="full", **FAST, **NOISE)
        assert not equal_weights(one, other)
        write_teacher(labeler, NAMES)  # the same numbers for other classes
        assert not train_cls(data, output=two, teacher=labeler, **FAST, **NOISE)["up_to_date"]
        assert not equal_weights(one, two)

    @pytest.mark.parametrize(("form", "stops"), [("gumbel", (2, 3, 4)), ("online", (4,))])
    def test_interrupted_at_any_step_ends_with_the_same_bytes(
        self, data, labeler, tmp_path, monkeypatch, form, stops
    ):
        monkeypatch.setattr(
            "wsstool.stages.train.run.fit",
            lambda task, loader, plan, **more: fit(
                task, loader, replace(plan, checkpoint_minutes=0.0), **more
            ),
        )
        options = {**FAST, **NOISE, "token_labels": form, "ema": 0.9, "dense_growth": True}
        if form != "online":
            options["teacher"] = labeler
        whole = tmp_path / "whole.pth"
        train_cls(data, output=whole, **options)
        for stop in stops:
            stopped, heard = tmp_path / f"{stop}.pth", Heard()
            with interrupted(monkeypatch, ClassificationTask, "loss", stop):
                train_cls(data, output=stopped, **options)
            train_cls(data, output=stopped, **options, messages=heard)
            assert f"step {stop - 1} of 4" in heard.text
            assert whole.read_bytes() == stopped.read_bytes()

    def test_of_several_tags(self, data, labeler, tmp_path):
        labels = data / "labels.csv"
        labels.write_text(labels.read_text().replace("00,cat", "00,cat dog"))
        output = tmp_path / "student.pth"
        assert train_cls(data, output=output, teacher=labeler, **FAST, **NOISE)["dense_loss"] < 2
        assert not load_weights(output).meta["single_label"]

    def test_mixing_and_noise_need_no_tokens(self, data, tmp_path):
        options = {**FAST, "arch": "tiny", "token_head": False}
        assert train_cls(data, output=tmp_path / "cls.pth", **options, **NOISE)["loss"] > 0
        train_cls(data, output=tmp_path / "plain.pth", **options)
        plain = load_weights(tmp_path / "plain.pth").meta["params"]
        assert not {"rand_augment", "erasing", "mixup", "cutmix", "min_lr", "warmup_start"} & set(plain)


class TestRefusals:
    def refused(self, data, tmp_path, says, error=UsageError, **options):
        with pytest.raises(error, match=says) as caught:
            train_cls(data, output=tmp_path / "x.pth", **{**FAST, **options})
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "x.pth").exists()

    def test_a_teacher_of_other_classes(self, data, tmp_path):
        other = write_teacher(tmp_path / "other.pth", ["ground", "cat", "bird"])
        says = "'.*other.pth' has other classes than the data: 'bird' is in the teacher alone"
        self.refused(data, tmp_path, says, BadInputError, teacher=other)
        fewer = write_teacher(tmp_path / "fewer.pth", ["ground", "cat"])
        self.refused(data, tmp_path, "'dog' is in the data alone", BadInputError, teacher=fewer)

    @pytest.mark.parametrize("teacher", [{"token_head": False}, {"arch": "tiny", "token_head": False}])
    def test_a_teacher_without_token_head(self, data, tmp_path, teacher):
        path = write_teacher(tmp_path / "plain.pth", NAMES, **teacher)
        self.refused(data, tmp_path, "'.*plain.pth' has no token head", BadInputError, teacher=path)

    def test_a_missing_or_wrong_teacher(self, data, tmp_path):
        self.refused(data, tmp_path, "no weights file", MissingInputError, teacher=tmp_path / "none.pth")
        self.refused(data, tmp_path, "not a weights file", BadInputError, teacher=data / "labels.csv")

    def test_options_without_what_they_need(self, data, labeler, tmp_path):
        self.refused(data, tmp_path, "add --token-head", teacher=labeler, token_head=False)
        self.refused(data, tmp_path, "--token-labels soft needs .*: --teacher", token_labels="soft")
        self.refused(data, tmp_path, "tiny has no tokens", teacher=labeler, arch="tiny")

    def test_odd_batches_and_small_sides(self, data, labeler, tmp_path):
        self.refused(data, tmp_path, "would have 3; choose an even --batch-size", mixup=0.8, batch_size=3)
        self.refused(data, tmp_path, "--image-size 31: .* at least 32", teacher=labeler, image_size=31)
        (data / "images" / "07.png").unlink()
        labels = data / "labels.csv"
        labels.write_text("\n".join(labels.read_text().splitlines()[:-1]) + "\n")
        self.refused(data, tmp_path, "would have 3, the last of each epoch", cutmix=1.0)
        train_cls(data, output=tmp_path / "cls.pth", cutmix=1.0, drop_last=True, **FAST)


class TestRecipes:
    @pytest.mark.parametrize("name", ["stl-labeler", "stl-student"])
    def test_have_the_published_settings(self, name):
        known = {n.replace("_", "-"): n for n in TrainClsOptions.declarations()} | {"set": "settings"}
        found = defaults_of(name, "train-cls", known)
        assert (found["epochs"], found["cooldown_epochs"], found["warmup_epochs"]) == (350, 10, 5)
        assert (found["lr"], found["batch_size"], found["weight_decay"]) == (2e-3, 1024, 0.05)
        assert found["lr"] * found["warmup_start"] == pytest.approx(1e-6) and found["min_lr"] == 1e-6
        assert (found["ema"], found["label_smoothing"]) == (0.99992, 0.1)
        assert (found["mixup"], found["cutmix"], found["erasing"], found["rand_augment"]) == (0.8, 1, 0.3, 9)
        assert found.get("token_labels") == ("gumbel" if name == "stl-student" else None)

    def test_make_a_labeler_and_its_student_of_a_drawn_set(self, tmp_path):
        sample(output=tmp_path / "drawn", count=16, size=64)
        quick = {"epochs": 1, "cooldown_epochs": 1, "batch_size": 8, "image_size": 64, "arch": "fan-micro"}
        paths = [tmp_path / "labeler.pth", tmp_path / "student.pth"]
        for name, path in zip(("stl-labeler", "stl-student"), paths, strict=True):
            run_command(tmp_path / "drawn", name, path, quick, paths[0] if name == "stl-student" else None)
        meta = load_weights(paths[1]).meta
        assert meta["token_head"] and meta["summary"]["dense_loss"] > 0
        assert [one["stage"] for one in meta["provenance"]] == ["train-cls", "train-cls"]


def run_command(data: Path, recipe: str, output: Path, options: dict, teacher: Path | None) -> None:
    """Run train-cls by a recipe on the command line, in this process."""
    words = ["train-cls", str(data), "--recipe", recipe, "--device", "cpu", "--workers", "0"]
    words += ["-o", str(output)]
    words += [part for k, v in options.items() for part in (f"--{k.replace('_', '-')}", str(v))]
    words += ["--teacher", str(teacher)] if teacher else []
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
