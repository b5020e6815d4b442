"""The doctor finds what is broken, says it in a sentence, and leaves nothing behind."""

import json
from collections import namedtuple

import pytest
from typer.testing import CliRunner

from wsstool.cli.app import app
from wsstool.stages.program import doctor as module
from wsstool.stages.program.doctor import doctor, explain_pair


def found(name):
    return next((one["state"], one["text"]) for one in doctor()["checks"] if one["check"] == name)


def test_this_environment_is_sound(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSTOOL_CACHE", str(tmp_path / "cache"))
    result = doctor()
    assert result["ok"], result["checks"]
    assert result["packages"]["torch"]
    assert [p.name for p in tmp_path.rglob("*")] == ["cache"]


def test_cache_is_not_made_when_it_is_off(monkeypatch):
    monkeypatch.setenv("WSSTOOL_CACHE", "0")
    assert found("cache folder") == ("ok", "off; WSSTOOL_CACHE=1 turns it on")


class TestTorchPair:
    def test_builds_differ(self):
        state, text = explain_pair(
            "2.6.0+cpu", "0.21.0+cu124", [], "operator torchvision::nms does not exist"
        )
        assert state == "fail"
        assert "torch 2.6.0+cpu and torchvision 0.21.0+cu124 are of different builds" in text
        assert "--index-url https://download.pytorch.org/whl/cpu" in text

    @pytest.mark.parametrize("requirement", ["torch==2.5.1", "torch (==2.5.1)"])
    def test_releases_differ(self, requirement):
        state, text = explain_pair("2.6.0+cu124", "0.20.1+cu124", ["numpy", requirement])
        assert state == "warn"
        assert text.startswith("torchvision 0.20.1+cu124 needs torch 2.5.1, but torch 2.6.0+cu124 is")

    def test_any_other_reason_is_passed_on(self):
        state, text = explain_pair("2.6.0", "0.21.0", [], "libcudart.so.12: cannot open\nmore")
        assert state == "fail" and "(libcudart.so.12: cannot open)" in text

    def test_builds_without_a_name_are_not_suspected(self):
        assert explain_pair("2.6.0", "0.21.0+cpu", ["torch==2.6.0"])[0] == "ok"


def test_missing_package(monkeypatch):
    monkeypatch.setattr(module, "CORE", ("torch", "no-such-package-here"))
    assert found("packages") == (
        "fail",
        "missing: no-such-package-here; run: python -m pip install no-such-package-here",
    )


def test_folder_without_locks(monkeypatch):
    monkeypatch.setattr("fcntl.flock", lambda *a: None)
    state, text = found("record files")
    assert state == "warn" and "does not support file locks" in text


def test_little_disk_is_a_warning(monkeypatch):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**10, 10**10, 10**6))
    state, text = found("this folder")
    assert state == "warn" and "0.0 GB free" in text


def test_little_shared_memory_is_a_warning(monkeypatch, tmp_path):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(64 * 10**6, 0, 64 * 10**6))
    state, text = module._shared_memory(tmp_path)
    assert state == "warn" and "64 MB" in text and "--shm-size" in text


def test_one_broken_check_does_not_hide_the_others(monkeypatch):
    monkeypatch.setattr(module, "_device", lambda: 1 / 0)
    result = doctor()
    assert not result["ok"]
    assert {one["check"]: one["state"] for one in result["checks"]}["device"] == "fail"
    assert len(result["checks"]) == 8


def test_command_prints_json_and_exits_by_the_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
