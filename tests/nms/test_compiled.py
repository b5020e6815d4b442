"""The compiled loops of soft rules equal numpy's to the last bit."""

import numpy as np
import pytest

from wsstool.nms import run
from wsstool.nms.engine import compiled, decay
from wsstool.nms.engine import stepwise as staged

RULES = [
    {"method": "soft"},
    {"method": "soft", "kernel": "linear"},
    {"method": "soft", "score_floor": 0.0},
    {"method": "soft", "plus_one": True},
    {"method": "soft", "measure": "ios"},
    {"method": "adaptive", "kernel": "gaussian", "estimate_density": True},
    {"method": "variance-voting"},
]


def crowded(n: int, seed: int = 0):
    """One island of boxes, some without area, with scores of which many are equal and some 0."""
    draw = np.random.default_rng(seed)
    corner, size = draw.uniform(0, 8 * n**0.5, (n, 2)), draw.uniform(0, 80, (n, 2))
    size[::17] = 0
    return np.concatenate([corner, corner + size], 1), draw.integers(0, 40, n) / 40


def same(own, n: int, dtype, monkeypatch) -> None:
    boxes, scores = crowded(n)
    if own["method"] == "variance-voting":
        own = {**own, "std": np.full((n, 4), 0.1)}
    found = [None, None]
    for k, on in enumerate((False, True)):
        monkeypatch.setattr(compiled, "enabled", on)
        found[k] = run(boxes.astype(dtype), scores.astype(dtype), **own)
    for name in ("keep", "scores", "boxes", "cluster"):
        np.testing.assert_array_equal(getattr(found[1], name), getattr(found[0], name), err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("own", RULES, ids=str)
def test_the_loops_as_written_equal_numpy(own, dtype, monkeypatch):
    """Without a compiler: the same functions, run as they stand."""
    calls = []

    def counted(function):
        def call(*args):
            calls.append(function.__name__)
            with np.errstate(all="ignore"):
                return function(*args)

        return call

    loops = compiled.Loops(counted)
    monkeypatch.setattr(compiled, "_compiled", lambda: loops)
    monkeypatch.setattr(compiled, "LEAST", 20)
    monkeypatch.setattr(decay, "_LANE", 20)
    monkeypatch.setattr(staged, "_STAGE", 9)
    monkeypatch.setattr(compiled, "_BLOCK", 4)
    monkeypatch.setattr(compiled, "_PAIRS", 30)
    same(own, 70, dtype, monkeypatch)
    wanted = {"_settle", "_multiply"} | ({"_overlapping"} if own.get("measure", "iou") == "iou" else set())
    assert set(calls) == wanted


@pytest.mark.parametrize("own", RULES, ids=str)
def test_compiled_equals_numpy(own, monkeypatch):
    pytest.importorskip("numba", reason="numba is not installed (extra 'fast')")
    assert compiled.loops(compiled.LEAST) is not None
    for dtype in (np.float32, np.float64):
        same(own, compiled.LEAST + 400, dtype, monkeypatch)


def test_when_nothing_is_compiled(monkeypatch):
    assert compiled.loops(compiled.LEAST - 1) is None
    monkeypatch.setattr(compiled, "_compiled", lambda: "loops")
    assert compiled.loops(compiled.LEAST) == "loops"
    monkeypatch.setattr(compiled, "enabled", False)
    assert compiled.loops(compiled.LEAST) is None


def test_the_switch_of_numba(monkeypatch):
    numba = pytest.importorskip("numba", reason="numba is not installed (extra 'fast')")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert compiled._compiled.__wrapped__() is None
