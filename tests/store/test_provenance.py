"""Keys, fingerprints, history: what makes two results the same."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import typer

from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import MissingInputError
from wsstool.store import provenance
from wsstool.store.provenance import canonical_json, fingerprint_file, fingerprint_folder, make_key


def test_canonical_json():
    assert (
        canonical_json({"b": (1, 2.5), "a": {"d": None, "c": True}})
        == '{"a":{"c":true,"d":null},"b":[1,2.5]}'
    )
    assert canonical_json([np.float32(0.5), np.int64(3), np.arange(2), Path("x/y")]) == '[0.5,3,[0,1],"x/y"]'
    assert canonical_json("ü") == '"ü"'
    with pytest.raises(TypeError, match="cannot be part of a key"):
        canonical_json(object())


def test_key_depends_on_what_changes_the_result(monkeypatch):
    data = [{"role": "data", "fingerprint": "1"}]
    key = make_key("cam", {"flip": True, "scale": [1.0]}, data)
    assert len(key) == 32 and int(key, 16) >= 0
    assert key == make_key("cam", {"scale": [1.0], "flip": True}, data)
    others = {
        make_key("predict", {"flip": True, "scale": [1.0]}, data),
        make_key("cam", {"flip": False, "scale": [1.0]}, data),
        make_key("cam", {"flip": True, "scale": [1.0]}, [{"role": "data", "fingerprint": "2"}]),
        make_key("cam", {"flip": True, "scale": [1.0]}, [{"role": "weights", "fingerprint": "1"}]),
    }
    monkeypatch.setitem(provenance.STAGE_VERSIONS, "cam", 2)
    others.add(make_key("cam", {"flip": True, "scale": [1.0]}, data))
    assert len(others) == 5 and key not in others


def test_typed_paths_are_no_part_of_the_key():
    one, other = (store.Input("data", {"fingerprint": "1"}, path) for path in ("data", "../data"))
    assert store.key_of("cam", {}, [one]) == store.key_of("cam", {}, [other])


def test_fingerprints_follow_content(tmp_path):
    for name, text in (("a", "1"), ("b", "2"), ("c", "1")):
        (tmp_path / name).write_text(text)
    of = {name: fingerprint_file(tmp_path / name) for name in "abc"}
    assert of["a"] == of["c"] != of["b"]
    folder = fingerprint_folder(tmp_path, ["a", "b"])
    assert folder == fingerprint_folder(tmp_path, ["b", "a"])
    assert folder != fingerprint_folder(tmp_path, ["a"]) and folder != fingerprint_folder(
        tmp_path, ["c", "b"]
    )
    (tmp_path / "b").write_text("3")
    assert folder != fingerprint_folder(tmp_path, ["a", "b"])
    with pytest.raises(MissingInputError):
        fingerprint_file(tmp_path / "none")
    assert fingerprint_folder(tmp_path, ["a", "none"])  # an unreadable image fails later, alone
    stat = fingerprint_file(tmp_path / "a", trust_mtime=True)
    assert stat.startswith("stat:") and stat != fingerprint_file(tmp_path / "c", trust_mtime=True)


def test_history_grows_each_step_once():
    data = store.Input("data", {"fingerprint": "1"}, "my data")
    first = store.history("cam", {"scale": [0.5, 1.0], "flip": False, "layer": None}, [data])
    key = first[-1]["key"]
    both = [store.Input("input", {"key": key}, path, tuple(first)) for path in ("a.h5", "b.h5")]
    last = store.history("join", {"fast": True, "top_k": 3}, both)
    assert [step["stage"] for step in last] == ["cam", "join"] and last[-1]["parents"] == [key, key]
    assert last[0]["command"] == f"wsstool cam 'my data' --scale 0.5 --scale 1.0 --no-flip -o {key[:12]}.h5"
    words = shlex.split(last[1]["command"])  # replayed, a step reads what the step before it wrote
    assert words[:-2] == f"wsstool join {key[:12]}.h5 {key[:12]}.h5 --fast --top-k 3".split()
    assert store.history("join", {"fast": True, "top_k": 3}, both) == last


def test_switches_that_are_off_are_written_as_the_command_line_takes_them():
    for name, command in typer.main.get_command(app).commands.items():
        for option in command.params:
            if option.secondary_opts and option.default is not False:
                recorded = option.opts[0].removeprefix("--").replace("-", "_")
                line = provenance.command_line(name, {recorded: False}, [], "a" * 32)
                assert option.secondary_opts[0] in line.split(), f"{name} {option.opts[0]}"
