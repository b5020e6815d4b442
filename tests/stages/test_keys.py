"""The part of a key that is made of options: it stays what it was, so that finished results stay up to date."""

from pathlib import Path

from wsstool.stages.options.cam import CamOptions


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
