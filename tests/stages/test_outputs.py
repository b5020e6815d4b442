"""Outputs that cannot be meant: endings of other formats, finished weights of other options, no cache."""

import os
from pathlib import Path

import pytest

from tests.messages import Heard
from tests.stages.chain import write_data, write_masks
from tests.stages.toy import write_rectangles
from wsstool import store
from wsstool.errors import CannotWriteError, UsageError
from wsstool.stages.options.cam import CamOptions
from wsstool.stages.options.exchange import ImportOptions
from wsstool.stages.options.groups import check_record_name
from wsstool.stages.options.nms import NmsOptions
from wsstool.stages.streams.cat import cat
from wsstool.stages.streams.merge import merge
from wsstool.stages.train.train_classifier import train_cls


@pytest.mark.parametrize("name", ["masks.png", "a/B.JSON", "x.pth", "report.html"])
def test_endings_of_other_formats(name):
    with pytest.raises(UsageError, match=r"is an HDF5 file; name it \w+\.h5"):
        CamOptions(data=Path("data"), weights=Path("c.pth"), output=Path(name))


def test_other_names_stay(tmp_path):
    for name in (None, Path("-"), Path("a"), Path("a.h5"), Path("a.hdf5"), Path("/dev/null"), Path("v1.2")):
        check_record_name(name)
    NmsOptions(output=Path("a.csv"))
    ImportOptions(expressions=Path("a"), output=Path("a.jsonl"))
    masks = write_masks(tmp_path / "m.h5", write_data(tmp_path / "data"))
    for write in (lambda **more: cat(masks, **more), lambda **more: merge([str(masks)], **more)):
        with pytest.raises(UsageError, match="HDF5"):
            write(output=tmp_path / "m.png")


def test_finished_weights_of_other_options(tmp_path):
    (tmp_path / "data").mkdir()
    data, output = write_rectangles(tmp_path / "data", 6), tmp_path / "c.pth"
    options = {"arch": "tiny", "image_size": 32, "workers": 0, "device": "cpu", "output": output}
    train_cls(data, epochs=1, **options)
    before = output.read_bytes()
    with pytest.raises(CannotWriteError, match=r"other options \(epochs 1 -> 2\); --force"):
        train_cls(data, epochs=2, **options)
    assert output.read_bytes() == before
    assert train_cls(data, epochs=1, **options)["up_to_date"]
    assert not train_cls(data, epochs=2, force=True, **options)["up_to_date"]
    heard = Heard()
    (data / "images" / "00.png").write_bytes((data / "images" / "02.png").read_bytes())
    train_cls(data, epochs=2, messages=heard, **options)  # make: the data changed, not the options
    assert "the data or the initial weights changed" in heard.text


def test_a_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WSSTOOL_CACHE", str(tmp_path / "file" / "cache"))
    masks = write_masks(tmp_path / "m.h5", write_data(tmp_path / "data"))
    heard = Heard()
    target = os.open(tmp_path / "out.h5", os.O_WRONLY | os.O_CREAT)
    before = os.dup(1)
    try:
        os.dup2(target, 1)
        monkeypatch.setattr("wsstool.store.output.partial_file.sys.stdout", os.fdopen(os.dup(1), "w"))
        with store.open_records(masks) as reader:
            header, records = reader.header, list(reader.records())
            with store.create(header, None, messages=heard) as writer:
                for record in records[writer.start :]:
                    writer.write(record.data)
    finally:
        os.dup2(before, 1)
    assert "not cached" in heard.text and "WSSTOOL_CACHE=FOLDER" in heard.text
    with store.open_records(tmp_path / "out.h5") as reader:
        reader.drain()
