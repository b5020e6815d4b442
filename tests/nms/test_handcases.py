"""The cases that one can work out on paper."""

import numpy as np
import pytest

from tests.fixtures import listed
from wsstool.nms import run
from wsstool.nms.methods.matrix import factors
from wsstool.nms.shapes.boxes import diou, iou, sides

CASES = listed("nms/handcases")


def answer(variant: str, given: dict):
    if variant == "WBF avg":
        models = given["models"]
        return run(
            [box for one in models for box in one["boxes"]],
            [score for one in models for score in one["scores"]],
            model=[k for k, one in enumerate(models) for _ in one["scores"]],
            method="fusion",
            iou_threshold=given["iou_threshold"],
        )
    options = {
        "hard": {},
        "hard / cluster": {"method": "cluster"},
        "batched": {},
        "soft linear": {"method": "soft", "kernel": "linear"},
        "soft gaussian": {"method": "soft", "kernel": "gaussian"},
        "weighted NMS": {"method": "weighted"},
        "box voting": {"method": "voting"},
        "IoU-guided": {"method": "iou-guided"},
        "adaptive hard": {"method": "adaptive"},
        "adaptive + linear soft": {"method": "adaptive", "kernel": "linear"},
        "DIoU": {"method": "diou"},
        "softer / variance voting": {"method": "variance-voting", "kernel": "hard", "iou_threshold": 0.5},
        "fast NMS": {"method": "fast"},
    }[variant]
    names = {"nt": "iou_threshold", "nms_threshold": "iou_threshold", "score_floor": "score_floor"}
    names |= {"loc": "localisation", "labels": "labels", "density": "density", "std": "std", "beta": "beta"}
    names |= {
        "sigma": "sigma",
        "sigma_t": "sigma_t",
        "iou_threshold": "iou_threshold",
        "plus_one": "plus_one",
    }
    names |= {"vote_threshold": "vote_threshold"}
    options = {**options, **{names[key]: value for key, value in given.items() if key in names}}
    if ">=" in given.get("suppress_when", ""):
        options["inclusive"] = True
    return run(given["boxes"], given["scores"], **options)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_hand_case(case):
    given, expected = case["input"], case["expected"]
    if case["variant"] == "iou":
        a, b = (sides(np.array([given[k]], float), given["plus_one"]) for k in "ab")
        assert iou(a, b)[0] == pytest.approx(expected["iou"], abs=1e-12)
        return
    if case["variant"] == "matrix NMS":
        matrix = np.array(given["iou"])
        i, j = np.nonzero(matrix)
        decay = factors(i, j, matrix[i, j], 3, given["kernel"], given.get("sigma", 2.0))
        assert decay == pytest.approx(expected["decay"], abs=1e-12)
        return
    if "diou" in expected and given["beta"] == 1:
        a, b = (sides(np.array([box], float)) for box in given["boxes"])
        assert diou(a, b)[0] == pytest.approx(expected["diou"], abs=1e-12)
    found = answer(case["variant"], given)
    for name, value in (("keep", found.keep), ("order", found.keep)):
        if name in expected:
            assert value.tolist() == expected[name]
    if "scores" in expected:
        assert found.scores == pytest.approx(expected["scores"], abs=1e-12)
    if "boxes" in expected:
        np.testing.assert_allclose(found.boxes, expected["boxes"], rtol=0, atol=1e-9)
