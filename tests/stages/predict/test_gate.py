"""The gate of predict: both forms by hand, order and names of classes, any classifier and segmenter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.models.class_probabilities import class_probabilities
from wsstool.models.classifier import build_classifier
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import save_weights
from wsstool.stages.predict.classifier_gate import Gate
from wsstool.stages.predict.predict import predict

NAMES = ["cat", "dog", "emu"]
BLIND = {"mean": [0.0] * 3, "std": [1.0] * 3, "palette": []}


class Says(nn.Module):
    """A classifier with the same logits for every image."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits


def gate_of(logits: list[list[float]], order: list[int], form: str, threshold: float = 0.1) -> Gate:
    return Gate(Says(logits), [0] * 3, [1] * 3, False, torch.tensor(order), threshold, form, ())


IMAGES = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
ALL = torch.ones(2, 3, dtype=torch.bool)


def test_scores_above_the_threshold_are_kept() -> None:
    """sigmoid(-2.2) is .0998, sigmoid(-2.19) is .1006."""
    logits = [[-2.2, -2.19, 3.0], [5.0, 5.0, -5.0]]
    may, factors = gate_of(logits, [0, 1, 2], "forbid")(IMAGES, ALL)
    assert may.tolist() == [[False, True, True], [True, True, False]] and factors is None
    may, factors = gate_of(logits, [2, 0, 1], "multiply")(IMAGES, ALL)
    assert may.all() and factors is not None
    assert factors.tolist() == [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]


def test_nothing_kept() -> None:
    """The best class of those allowed stays; as published, all logits are 0 and class 0 wins."""
    gate = gate_of([[-9.0, -3.0, -5.0], [-9.0, -3.0, -5.0]], [0, 1, 2], "forbid")
    allowed = torch.tensor([[True, True, True], [True, False, True]])
    assert gate(IMAGES, allowed)[0].tolist() == [[False, True, False], [False, False, True]]
    _, factors = gate_of([[-9.0] * 3] * 2, [0, 1, 2], "multiply")(IMAGES, ALL)
    network = Says([[[[1.0]], [[7.0]], [[-2.0]]]] * 2)
    probs = class_probabilities([network], torch.zeros(2, 3, 1, 1), factors=factors)
    assert probs.argmax(1).flatten().tolist() == [0, 0]


def test_a_suppressed_class_beats_negative_logits_only_when_multiplied() -> None:
    """Logits -1 and -2 of kept classes against 5 of one that is not."""
    network = Says([[[[-1.0]], [[5.0]], [[-2.0]]]] * 2)
    logits = [[4.0, -4.0, 4.0]] * 2
    winners = {}
    for form in ("forbid", "multiply"):
        may, factors = gate_of(logits, [0, 1, 2], form)(IMAGES, ALL)
        probs = class_probabilities([network], torch.zeros(2, 3, 1, 1), allowed=may, factors=factors)
        winners[form] = probs.argmax(1).flatten().tolist()
    assert winners == {"forbid": [0, 0], "multiply": [1, 1]}


def test_background_is_always_kept() -> None:
    may, _ = gate_of([[-9.0, 3.0], [-9.0, -9.0]], [-1, 0, 1], "forbid")(IMAGES, ALL)
    assert may.tolist() == [[True, False, True], [True, False, False]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i in range(5):
        Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(root / f"{i}.png")
    return root


def write_gate(path: Path, names: list[str], keeps: set[str], background: int = -1) -> Path:
    """A classifier that is sure: the classes of ``keeps`` are there, the others are not."""
    network = build_classifier("tiny", len([n for i, n in enumerate(names) if i != background]))
    ids = [i for i in range(len(names)) if i != background]
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([8.0 if names[i] in keeps else -8.0 for i in ids]))
    meta = {"arch": "tiny", "task": "classification", "classes": names, "class_ids": ids, **BLIND}
    save_weights(path, network.state_dict(), {**meta, "background": background})
    return path


def write_segmenter(path: Path, names: list[str], arch: str = "fcn-tiny", background: int = -1) -> Path:
    torch.manual_seed(4)
    network = build_segmenter(arch, len(names), width=8)
    meta = {"arch": arch, "task": "segmentation", "classes": names, "class_ids": list(range(len(names)))}
    save_weights(path, network.state_dict(), {**meta, **BLIND, "width": 8, "background": background})
    return path


def labels_of(path: Path) -> set[str]:
    with store.open_records(path) as reader:
        names = reader.header.classes.names
        return {names[v] for record in reader.records() for v in np.unique(record.data)}


@pytest.mark.parametrize("arch", ["fcn-tiny", "deeplabv3plus-tiny"])
def test_only_what_the_gate_keeps_is_predicted(data: Path, tmp_path: Path, arch: str) -> None:
    """The gate has its classes in another order."""
    weights = write_segmenter(tmp_path / "seg.pth", NAMES, arch)
    options: dict[str, Any] = {"weights": weights, "device": "cpu", "workers": 0}
    predict(data, output=tmp_path / "free.h5", **options)
    free = labels_of(tmp_path / "free.h5")
    kept = next(iter(sorted(set(NAMES) - {sorted(free)[0]})))
    gate = write_gate(tmp_path / "cls.pth", ["emu", "cat", "dog"], {kept})
    for name, more in {"plain": {}, "views": {"scale": [0.5, 1.0], "flip": True}}.items():
        predict(data, gate=gate, output=tmp_path / f"{name}.h5", **more, **options)
        assert labels_of(tmp_path / f"{name}.h5") == {kept}
    predict(data, gate=gate, probabilities=True, dtype="float32", output=tmp_path / "p.h5", **options)
    with store.open_records(tmp_path / "p.h5", kinds=("cam",)) as reader:
        for record in reader.records():
            assert record.class_ids.tolist() == [0, 1, 2]
            others = record.data[[i for i in range(3) if NAMES[i] != kept]]
            assert (others == 0).all() and (record.data[NAMES.index(kept)] > 0).all()
    predict(data, gate=gate, refine="pamr", settings=["steps=1"], output=tmp_path / "r.h5", **options)
    assert labels_of(tmp_path / "r.h5") == {kept}


def test_a_gate_that_keeps_all_changes_nothing_and_one_that_keeps_none_gives_class_0(
    data: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "weights": write_segmenter(tmp_path / "seg.pth", NAMES),
        "device": "cpu",
        "gate_form": "multiply",
    }
    predict(data, output=tmp_path / "free.h5", **options)
    every = write_gate(tmp_path / "every.pth", NAMES, set(NAMES))
    none = write_gate(tmp_path / "none.pth", NAMES, set())
    predict(data, gate=every, output=tmp_path / "every.h5", **options)
    predict(data, gate=none, output=tmp_path / "none.h5", **options)
    free, gated = store.open_random(tmp_path / "free.h5"), store.open_random(tmp_path / "every.h5")
    assert all((free[i].data == gated[i].data).all() for i in range(5))
    assert free.header.key != gated.header.key
    assert labels_of(tmp_path / "none.h5") == {"cat"}


def test_a_background_is_no_class_of_the_gate(data: Path, tmp_path: Path) -> None:
    names = ["background", *NAMES]
    weights = write_segmenter(tmp_path / "seg.pth", names, background=0)
    gate = write_gate(tmp_path / "cls.pth", names, {"dog"}, background=0)
    predict(data, weights=weights, gate=gate, output=tmp_path / "p.h5", device="cpu")
    assert labels_of(tmp_path / "p.h5") <= {"background", "dog"}


def test_bad_gates(data: Path, tmp_path: Path) -> None:
    weights = write_segmenter(tmp_path / "seg.pth", NAMES)
    other = write_gate(tmp_path / "other.pth", ["cat", "dog", "fox"], set())
    cases: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"gate": other}, BadInputError, "different classes.*emu"),
        ({"gate": weights}, BadInputError, "segmenter"),
        ({"gate": tmp_path / "nowhere.pth"}, MissingInputError, "nowhere"),
        ({"gate": other, "gate_threshold": 1.0}, UsageError, "gate-threshold"),
        ({"gate": other, "gate_form": "maybe"}, UsageError, "gate-form"),
    ]
    for own, error, says in cases:
        with pytest.raises(error, match=says):
            predict(data, weights=weights, output=tmp_path / "p.h5", device="cpu", **own)
    assert not (tmp_path / "p.h5").exists()
