"""An output never replaces what another program, kind or stage made; --force does."""

import pytest

from tests.store.records import example, read
from wsstool.errors import CannotWriteError


def test_a_strangers_file_stays(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("image,labels\n")
    with pytest.raises(CannotWriteError, match="not a wsstool file"):
        example().write(path)
    assert path.read_text() == "image,labels\n"
    assert [p.name for p in tmp_path.iterdir()] == ["labels.csv"]


def test_another_kind_stays(tmp_path):
    path = tmp_path / "cams.h5"
    example("cam").write(path)
    before = path.read_bytes()
    with pytest.raises(CannotWriteError, match="is a cam file from"):
        example("mask").write(path)
    assert path.read_bytes() == before


def test_force_replaces_it(tmp_path):
    path = tmp_path / "cams.h5"
    example("cam").write(path)
    example("mask").write(path, force=True)
    assert read(path)[0].payload == "mask"


@pytest.mark.parametrize("left", [0, 500])
def test_the_ruin_of_a_killed_run_is_replaced(tmp_path, left):
    path = tmp_path / "cams.h5"
    example("cam").write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    example("cam").write(path)
    assert path.read_bytes() == whole
