"""An export repeated: up to date, replaced, protected, and repaired after a kill."""

import contextlib
import os
from pathlib import Path

import pytest

from tests.messages import Heard
from tests.stages.chain import write_data, write_masks
from wsstool.errors import UsageError
from wsstool.stages.exchange.export import export


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_data(tmp_path_factory.mktemp("again") / "data")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.png")}


def test_folders(tmp_path, data):
    out, heard = tmp_path / "out", Heard()
    masks = write_masks(tmp_path / "a.h5", data)
    export(masks, output=out)
    before = content(out)
    os.utime(out, (1, 1))
    export(masks, output=out, messages=heard)
    assert content(out) == before and "up to date" in heard.text
    assert out.stat().st_mtime > 1  # make compares times
    (out / "note.txt").write_text("mine")
    fewer = write_masks(tmp_path / "b.h5", data, range(3), shift=2)
    export(fewer, output=out)
    assert len(content(out)) == 3 and content(out).items() - before.items() == content(out).items()
    assert (out / "note.txt").read_text() == "mine"


def test_a_corrected_mask_is_kept(tmp_path, data):
    out = tmp_path / "out"
    masks = write_masks(tmp_path / "a.h5", data)
    export(masks, output=out)
    corrected = next(out.rglob("*.png"))
    corrected.write_bytes(b"by hand")
    with pytest.raises(UsageError, match="force replaces"):
        export(masks, output=out)
    assert corrected.read_bytes() == b"by hand"
    export(masks, output=out, force=True)
    assert corrected.read_bytes() != b"by hand"


def test_single_files(tmp_path, selection):
    out, heard = tmp_path / "out.xml", Heard()
    export(selection, output=out, format="cvat")
    before = out.read_bytes()
    export(selection, output=out, format="cvat", messages=heard)
    assert out.read_bytes() == before and "up to date" in heard.text
    export(selection, output=out, format="coco")
    assert out.read_bytes() != before
    out.write_text("by hand")
    with pytest.raises(UsageError, match="force replaces"):
        export(selection, output=out, format="coco")


@pytest.mark.parametrize("moved", range(8))
def test_an_export_killed_while_it_moves_files(tmp_path, data, monkeypatch, moved):
    out = tmp_path / "out"
    export(write_masks(tmp_path / "a.h5", data), output=out)
    new = write_masks(tmp_path / "b.h5", data, shift=3)
    replace, count = os.replace, iter(range(1000))

    def killed(*names):
        if next(count) == moved:
            raise KeyboardInterrupt
        replace(*names)

    monkeypatch.setattr("wsstool.stages.exchange.output.os.replace", killed)
    with contextlib.suppress(KeyboardInterrupt):
        export(new, output=out)
    monkeypatch.undo()
    export(new, output=out)
    export(new, output=tmp_path / "fresh")
    assert content(out) == content(tmp_path / "fresh")


def test_a_hostile_manifest_removes_nothing_outside(tmp_path, data):
    import json

    from wsstool.stages.exchange.output import _hash

    out, victim = tmp_path / "out", tmp_path / "victim"
    for folder in (out, victim):
        folder.mkdir()
    (victim / "a").write_text("keep")
    (out / "link").symlink_to(victim)
    texts = [_hash(victim / "a")]
    manifest = {"link/a": texts, "../victim/a": texts}
    (out / ".wsstool-export.json").write_text(json.dumps(manifest))
    masks = write_masks(tmp_path / "a.h5", data)
    with pytest.raises(UsageError, match="not empty"):
        export(masks, output=out)
    (out / ".wsstool-export.json").write_text(json.dumps({"link/a": texts}))
    export(masks, output=out)
    assert (victim / "a").read_text() == "keep"
