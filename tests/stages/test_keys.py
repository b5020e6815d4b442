"""The options in a key stay what they were, so that finished results stay up to date."""

import csv
from pathlib import Path

import pytest

from tests.stages.object_sets import write_maps, write_objects, write_proposals
from wsstool import store
from wsstool.stages.detections.nms import nms
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.objects.propose import propose
from wsstool.stages.objects.select import select
from wsstool.stages.options.cam import CamOptions
from wsstool.stages.options.objects import ContourOptions


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_objects(tmp_path_factory.mktemp("objects") / "data")


def params(path: Path) -> dict:
    with store.open_records(path) as reader:
        return dict(reader.header.params)


def test_cam():
    options = CamOptions(data=Path("data"), weights=Path("cls.pth"))
    assert options.key_params(layer=["c5"], scale=[1.0], rectify=False, settings=[]) == {
        "method": "cam",
        "targets": "labels",
        "layer": ["c5"],
        "scale": [1.0],
        "flip": False,
        "rectify": False,
        "map_stride": None,
        "score_threshold": None,
        "set": [],
        "dtype": "float16",
        "split": None,
        "labels": None,
        "shard": None,
    }


def test_contour():
    options = ContourOptions(data=Path("data"), weights=Path("contour.pth"))
    assert options.key_params(margin=[0.25], box_format=None) == {
        "box_format": None,
        "margin": [0.25],
        "flip": False,
        "split": None,
        "class_list": None,
        "shard": None,
    }


def test_propose(root, tmp_path):
    propose(root, output=tmp_path / "p.h5", method="slic", workers=0)
    limits = {"max_proposals": 4000, "min_area": 20, "max_area": 1.0, "split": None, "shard": None}
    assert params(tmp_path / "p.h5") == {"method": "slic", "set": [], **limits}
    propose(root, output=tmp_path / "q.h5", import_=root / "boxes.json")
    limits |= {"max_proposals": None, "min_area": 0}
    assert params(tmp_path / "q.h5") == {"method": None, "set": [], **limits}


def test_select(root, tmp_path):
    maps, proposals = write_maps(tmp_path / "c.h5", root), write_proposals(tmp_path / "p.h5", root)
    common = {"fallback": "auto", "box_format": None, "split": None}
    select(str(root), method="box", output=tmp_path / "s.h5")
    assert params(tmp_path / "s.h5") == {"method": "box", "set": [], **common}
    select(str(proposals), contour=str(maps), settings=["guide=region"], output=tmp_path / "t.h5")
    assert params(tmp_path / "t.h5") == {"method": "greedy", "set": ["guide=region"], **common}


def test_nms(tmp_path):
    with open(tmp_path / "d.csv", "w", newline="") as file:
        csv.writer(file).writerows([["image", "x0", "y0", "x1", "y1", "score"], ["a.png", 0, 0, 5, 5, 0.5]])
    nms([str(tmp_path / "d.csv")], output=tmp_path / "b.h5", method="soft", settings=["sigma=0.3"])
    assert params(tmp_path / "b.h5") == {
        "method": "soft",
        "iou_threshold": None,
        "class_aware": True,
        "measure": "iou",
        "plus_one": False,
        "inclusive": None,
        "masks": False,
        "score_threshold": None,
        "top_before": None,
        "top_after": None,
        "drop_invalid": False,
        "set": ["sigma=0.3"],
    }


def test_import(root, tmp_path):
    import_masks(root / "boxes.json", output=tmp_path / "i.h5")
    assert params(tmp_path / "i.h5") == {"class_list": None}
