"""Temporary folders: removed at the end, and by a later run where the process was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from wsstool import atomic
from wsstool.atomic import atomic_file, atomic_folder, scratch_folder, write_text
from wsstool.errors import CannotWriteError
from wsstool.models.files.torch_file import save_atomically

KILLED = """
import os, sys
from wsstool.atomic import atomic_file, atomic_folder
with {kind}(sys.argv[1]) as part:
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(autouse=True)
def another_process():
    atomic.remove_abandoned.cache_clear()


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["atomic_file", "atomic_folder"])
def test_the_next_run_removes_what_a_killed_one_left(tmp_path, kind):
    target = tmp_path / "a"
    assert subprocess.run([sys.executable, "-c", KILLED.format(kind=kind), str(target)]).returncode == -9
    assert len(listed(tmp_path)) == 1
    write_text(tmp_path / "b", "text")
    assert listed(tmp_path) == ["b"]


def test_a_folder_in_use_stays(tmp_path):
    with scratch_folder(tmp_path / "a") as part:
        atomic.remove_abandoned.cache_clear()
        write_text(tmp_path / "b", "text")
        assert part.is_dir()
    assert listed(tmp_path) == ["b"]


def test_folders_of_others_stay(tmp_path):
    names = [".a-wsstool-file.part", "-wsstool-x", ".a-other.part"]
    for name in names[1:]:
        (tmp_path / name).mkdir()
    (tmp_path / names[0]).write_text("a file")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".l-wsstool-link.part").symlink_to(tmp_path / "elsewhere")
    write_text(tmp_path / "b", "text")
    assert set(names) < set(listed(tmp_path)) and (tmp_path / "elsewhere").is_dir()


def test_a_folder_that_cannot_be_replaced_keeps_its_content(tmp_path, monkeypatch):
    target = tmp_path / "a"
    target.mkdir()
    (target / "old").write_text("old")
    rename = Path.rename

    def refuse(path, new):
        if path.name == "new":
            raise PermissionError(13, "Permission denied")
        return rename(path, new)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CannotWriteError, match="Permission denied"), atomic_folder(target) as part:
        (part / "new").write_text("new")
    assert listed(target) == ["old"] and listed(tmp_path) == ["a"]


class Failing:
    """A file object that fails after some writes."""

    def __init__(self, error: BaseException, left: int) -> None:
        self.error, self.left = error, left

    def write(self, data) -> int:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return len(data)

    def flush(self) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        pass


@pytest.mark.parametrize("left", [0, 1, 5])
def test_a_full_disk_is_the_message(tmp_path, monkeypatch, left):
    error = OSError(28, "No space left on device")
    monkeypatch.setattr("builtins.open", lambda *_: Failing(error, left))
    with pytest.raises(CannotWriteError, match=r"w\.pth': No space left on device"):
        save_atomically({"a": torch.zeros(5000)}, tmp_path / "w.pth")
    assert listed(tmp_path) == []


@pytest.mark.parametrize("left", [0, 1, 5])
def test_an_interrupt_while_saving_stays_one(tmp_path, monkeypatch, left):
    monkeypatch.setattr("builtins.open", lambda *_: Failing(KeyboardInterrupt(), left))
    with pytest.raises(KeyboardInterrupt):
        save_atomically({"a": torch.zeros(5000)}, tmp_path / "w.pth")
    assert listed(tmp_path) == []


def test_permissions_are_those_of_a_new_file(tmp_path):
    with atomic_file(tmp_path / "a") as part:
        part.write_text("a")
    (tmp_path / "b").write_text("b")
    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode
