"""What published programs gave for real detections."""

from itertools import product

import numpy as np
import pytest

from tests.fixtures import arrays
from wsstool.nms import NmsResult, run


@pytest.fixture(params=["mmcv", "coco"])
def data(request):
    return arrays(f"nms/{request.param}")


@pytest.fixture
def distinct():
    """The set without equal scores."""
    return arrays("nms/mmcv")


def nms(data, **options) -> NmsResult:
    return run(data["boxes"], data["scores"], **options)


def rows(boxes, scores) -> np.ndarray:
    """Rows of boxes and scores in an order that ties do not change."""
    table = np.concatenate([boxes, np.asarray(scores)[:, None]], 1).astype(np.float64)
    return table[np.lexsort(np.round(table[:, :4], 2).T)]


def same_detections(found: NmsResult, expected: np.ndarray, atol: float = 2e-7) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.scores, expected[:, 4], rtol=0, atol=atol)  # both fall
    np.testing.assert_allclose(
        rows(found.boxes, found.scores)[:, :4],
        rows(expected[:, :4], expected[:, 4])[:, :4],
        rtol=1e-5,
        atol=1e-3,
    )


@pytest.mark.parametrize("percent", [30, 50, 70])
class TestGreedy:
    def test_as_torchvision(self, data, percent):
        one, many = f"tv_nms_{percent}", f"tv_batched_nms_{percent}"
        np.testing.assert_array_equal(nms(data, iou_threshold=percent / 100).keep, data[one])
        found = nms(data, iou_threshold=percent / 100, labels=data["labels"])
        np.testing.assert_array_equal(found.keep, data[many])

    def test_pixel_inclusive(self, data, percent):
        found = nms(data, iou_threshold=percent / 100, plus_one=True)
        assert set(found.keep) == set(data[f"frcnn_pynms_plus1_{percent}"])
        found = nms(data, iou_threshold=percent / 100, plus_one=True, inclusive=True)
        assert set(found.keep) == set(data[f"softauthor_cythonnms_plus1_ge_{percent}"])

    def test_in_order_without_ties(self, distinct, percent):
        for name, plus_one in (("off0", False), ("off1", True)):
            found = nms(distinct, iou_threshold=percent / 100, plus_one=plus_one)
            np.testing.assert_array_equal(found.keep, distinct[f"mmcv_nms_{name}_{percent}"])

    def test_clusters(self, data, percent):
        found = nms(data, iou_threshold=percent / 100, inclusive=True)
        sizes = np.bincount(found.cluster)
        np.testing.assert_array_equal(np.sort(sizes), np.sort(data[f"mmcv_nms_match_ge_{percent}__sizes"]))


@pytest.mark.parametrize("kernel", ["linear", "gaussian"])
@pytest.mark.parametrize(
    ("name", "plus_one"),
    [("author_plus1", True), ("detectron_plus1", True), ("mmcv_off0", False), ("mmcv_off1", True)],
)
def test_soft(data, name, plus_one, kernel):
    found = nms(data, method="soft", kernel=kernel, iou_threshold=0.3, sigma=0.5, plus_one=plus_one)
    same_detections(found, data[f"softnms_{name}_{kernel}__dets"])


def test_soft_in_order_without_ties(distinct):
    found = nms(distinct, method="soft")
    np.testing.assert_array_equal(found.keep, distinct["softnms_mmcv_off0_gaussian__idx"])


@pytest.mark.parametrize(("beta", "percent"), [(1.0, 50), (0.9, 50), (0.6, 50), (1.0, 45)])
def test_diou(distinct, beta, percent):
    expected = distinct[f"diounms_author_{percent}_beta{round(beta * 10):02d}"]
    found = nms(distinct, method="diou", beta=beta, iou_threshold=percent / 100)
    np.testing.assert_array_equal(found.keep, expected)


@pytest.mark.parametrize("sigma_t", [0.01, 0.02])
@pytest.mark.parametrize(("kernel", "name"), [("gaussian", "soft"), ("hard", "hard")])
def test_variance_voting(data, sigma_t, kernel, name):
    found = nms(
        data,
        method="variance-voting",
        std=data["std"],
        sigma_t=sigma_t,
        kernel=kernel,
        plus_one=True,
        iou_threshold=0.5,
    )
    # Its scores were decayed by numpy's float32 exponential, which is off by some units in the last place.
    same_detections(found, data[f"kl_varvote_{name}_sigmat0{round(sigma_t * 1000)}__dets"], atol=5e-7)


def test_softer_nms(data):
    options = {"weights": "deviation", "vote_threshold": 0.9, "plus_one": True}
    found = nms(data, method="variance-voting", std=data["std"], **options)
    same_detections(found, data["softernms_v1_th90__dets"], atol=5e-7)


@pytest.mark.parametrize("rule", ["ID", "AVG", "IOU_AVG", "TEMP_AVG", "GENERALIZED_AVG", "QUASI_SUM"])
def test_box_voting(data, rule):
    found = nms(data, method="voting", score_rule=rule.lower().replace("_", "-"), vote_plus_one=True)
    expected = data[f"detectron_boxvote_80_{rule}__dets"][
        data[f"detectron_boxvote_80_{rule}__keep"].argsort()
    ]
    order = found.keep.argsort()
    np.testing.assert_allclose(found.boxes[order], expected[:, :4], rtol=1e-5)
    np.testing.assert_allclose(found.scores[order], expected[:, 4], rtol=1e-5)


def test_iou_guided(data):
    found = nms(data, method="iou-guided", localisation=data["loc"], iou_threshold=0.5)
    assert set(found.keep) == set(data["iouguided_thirdparty_50__idx"])
    np.testing.assert_allclose(found.scores, data["iouguided_thirdparty_50__scores"])


CLUSTERS = {
    "yolact_cc_fast_nms": {"method": "fast"},
    "clusternms_cc_cluster_nms": {"method": "cluster"},
    "clusternms_cc_cluster_diounms": {"method": "cluster", "measure": "diou"},
    "clusternms_cc_cluster_SPM_nms": {"method": "cluster", "penalty": "spm"},
    "clusternms_cc_cluster_SPM_dist_nms": {"method": "cluster", "penalty": "spm-distance"},
    "clusternms_cc_cluster_SPM_dist_weighted_nms": {
        "method": "cluster",
        "penalty": "spm-distance",
        "average": True,
    },
    "clusternms_cluster_nms": {"method": "cluster"},
    "clusternms_cluster_diounms": {"method": "diou", "beta": 0.9},
    "clusternms_cluster_SPM_nms": {"method": "cluster", "penalty": "spm"},
    "yolact_fast_nms_perclass": {"method": "fast"},
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_fast_and_cluster(distinct, name):
    labels = None if "_cc_" in name else distinct["labels"]
    found = nms(distinct, iou_threshold=0.5, top_before=200, labels=labels, **CLUSTERS[name])
    key = f"{name}_50_top200__"
    # Its per-class lists are filled up to 200 with boxes of other classes, whose scores there are 0.
    real = np.flatnonzero(distinct[f"{key}scores"] > 0)
    theirs = real[distinct[f"{key}idx"][real].argsort()] if f"{key}scores" in distinct else slice(None)
    ours = found.keep.argsort()
    np.testing.assert_array_equal(found.keep[ours], distinct[f"{key}idx"][theirs])
    np.testing.assert_allclose(found.scores[ours], distinct[f"{key}scores"][theirs], rtol=0, atol=2e-7)
    np.testing.assert_allclose(found.boxes[ours], distinct[f"{key}boxes"][theirs], rtol=1e-5, atol=1e-3)


def table(data, name) -> np.ndarray:
    return np.c_[data[f"{name}__labels"], data[f"{name}__scores"], data[f"{name}__boxes"]].astype(np.float64)


class TestEnsembleBoxes:
    """Their boxes are shares of the image; equal scores go to the higher index: one box in 711 shows it."""

    @pytest.fixture
    def boxes(self):
        data = arrays("nms/coco")
        return data, data["boxes"].astype(np.float64) / 1000, data["scores"].astype(np.float64)

    @pytest.mark.parametrize(
        ("models", "rule"),
        [
            *product(
                ["1model", "3models_w211"], ["avg", "max", "box_and_model_avg", "absent_model_aware_avg"]
            ),
            ("3models_w211", "overflow"),
        ],
    )
    def test_fusion(self, boxes, models, rule):
        data, xyxy, scores = boxes
        options = {"score_rule": rule.replace("_", "-")} if rule != "overflow" else {"overflow": True}
        if models != "1model":
            options |= {"model": np.arange(len(scores)) % 3, "model_weights": (2.0, 1.0, 1.0)}
        name = f"eb_wbf_55_{models}_{rule}"
        found = run(xyxy, scores, labels=data["labels"], method="fusion", **options)
        ours = np.c_[data["labels"][found.keep], found.scores, found.boxes]
        assert self.distance(ours, table(data, name)).max() < 1e-5

    @pytest.mark.parametrize("models", ["", "_3models_w211"])
    def test_non_maximum_weighted(self, boxes, models):
        data, xyxy, scores = boxes
        if models:
            scores = scores * np.array([2, 1, 1])[np.arange(len(scores)) % 3] / 2
        found = run(xyxy, scores, labels=data["labels"], method="weighted", iou_threshold=0.55, join="most")
        ours = np.c_[data["labels"][found.keep], found.scores, found.boxes]
        distance = self.distance(ours, table(data, f"eb_nmw_55{models}"))
        assert (distance > 1e-5).sum() <= 2 and distance.max() < 0.06

    def distance(self, ours, theirs) -> np.ndarray:
        assert len(ours) == len(theirs)
        return np.abs(ours[:, None] - theirs[None]).max(2).min(1)
