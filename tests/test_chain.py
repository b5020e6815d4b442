"""The whole chain as a user runs it: real processes, real pipes, on a small drawn set."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wsstool.cli.app import app

ROOT = Path(__file__).parents[1]
SMALL_TRAINING = "--epochs 2 --batch-size 8"


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Run a line of bash in one folder, with ``wsstool`` being this checkout's."""
    folder = tmp_path_factory.mktemp("chain")
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    program = bin_folder / "wsstool"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wsstool "$@"\n')
    program.chmod(0o755)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("WSSTOOL_")},
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }

    def run(line: str, code: int = 0, **more: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=folder,
            env={**environment, **more},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stderr
        return done

    run.folder = folder
    run("wsstool sample -o data --count 20 --size 64")
    run(f"wsstool train-cls data --arch tiny --image-size 64 {SMALL_TRAINING} -o cls.pth")
    return run


# Stages that several tests start from. Tests may run in any order, and on any worker.
@pytest.fixture(scope="module")
def maps(shell):
    shell("wsstool cam data --split train --weights cls.pth --batch-size 1 -o whole.h5")
    return "whole.h5"


@pytest.fixture(scope="module")
def segmenter(shell, maps):
    shell(f"wsstool pseudo-mask {maps} -o masks.h5")
    shell(
        f"wsstool cotrain masks.h5 --images data --arch fcn-tiny --crop-size 64 {SMALL_TRAINING} -o seg.pth"
    )
    return "seg.pth"


def test_tags_to_masks_through_a_pipe(shell):
    shell(
        "wsstool cam data --split train --weights cls.pth --flip | tee cams.h5 | "
        "wsstool pseudo-mask --refine crf --images data -o piped.h5"
    )
    shell("wsstool check --full cams.h5 piped.h5")
    # A file gives the same bytes as the pipe, and is up to date then.
    shell("wsstool pseudo-mask cams.h5 --refine crf -o again.h5 && cmp piped.h5 again.h5")
    assert "up to date" in shell("wsstool pseudo-mask cams.h5 --refine crf -o again.h5").stderr
    assert "refine crf -> None" in shell("wsstool pseudo-mask cams.h5 -o again.h5").stderr


@pytest.mark.slow
def test_masks_to_a_scored_segmenter(shell, segmenter):
    shell(f"wsstool predict data --split test --weights {segmenter} -o prediction.h5")
    found = json.loads(shell("wsstool eval prediction.h5 --json").stdout)
    assert found["images"] == 5
    assert 0 <= found["rows"][0]["miou"] <= 1
    shell("wsstool eval prediction.h5 --fail-under miou=0.999", code=4)
    shell(
        "wsstool report pseudo-mask=masks.h5 prediction=prediction.h5 --log seg.pth.log.jsonl -o report.html"
    )
    page = (shell.folder / "report.html").read_text()
    assert "<img" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing from elsewhere


@pytest.mark.slow
def test_the_second_round_reads_probabilities(shell, segmenter):
    shell(
        f"wsstool predict data --split train --weights {segmenter} --probabilities --targets labels | "
        "wsstool pseudo-mask -o round2.h5"
    )
    steps = [shlex.split(c) for c in json.loads(shell("wsstool info round2.h5 --json").stdout)["commands"]]
    assert [words[1] for words in steps] == [
        "train-cls",
        "cam",
        "pseudo-mask",
        "cotrain",
        "predict",
        "pseudo-mask",
    ]
    for words in steps:  # every rebuilt command is one that the program understands
        shell(shlex.join([*words, "--show-config"]))
    assert "set -euo pipefail" in shell("wsstool info round2.h5 --script").stdout


@pytest.mark.slow
def test_shards_join_to_what_one_pass_makes(shell, maps):
    shell(
        "for i in 0 1 2; do "
        "wsstool cam data --split train --weights cls.pth --batch-size 1 --shard $i/3 -o p$i.h5; done"
    )
    shell("wsstool merge p?.h5 -o joined.h5")
    from wsstool import store

    with (
        store.open_records(shell.folder / maps) as a,
        store.open_records(shell.folder / "joined.h5") as b,
    ):
        for one, other in zip(a.records(), b.records(), strict=True):
            assert one.name == other.name and one.data.tobytes() == other.data.tobytes()


@pytest.mark.slow
def test_an_interrupted_pass_goes_on_to_the_same_bytes(shell):
    shell("wsstool cam data --weights cls.pth --batch-size 1 -o full.h5")
    shell(
        "wsstool cam data --weights cls.pth --batch-size 1 -o cut.h5 & job=$!; "
        "until [ -s cut.h5.part.journal ]; do sleep .02; kill -0 $job 2>/dev/null || break; done; "
        "kill -9 $job 2>/dev/null; wait $job; true"
    )
    shell("wsstool cam data --weights cls.pth --batch-size 1 -o cut.h5 && cmp full.h5 cut.h5")


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("mkdir -p empty && wsstool train-cls empty -o x.pth", 66, "no images in"),
        ("head -c 3000 whole.h5 | wsstool pseudo-mask -o x.h5", 65, "truncated"),
        ("true | wsstool pseudo-mask -o x.h5", 65, "empty"),
        ("wsstool cam data --split val --weights cls.pth > /dev/full", 74, "No space left"),
        ("wsstool cam --help > /dev/full", 74, "No space left"),
    ],
)
@pytest.mark.usefixtures("maps")
def test_bad_input_gets_one_sentence_and_its_code(shell, line, code, says):
    done = shell(line, code=code)
    assert not (shell.folder / "x.h5").exists()
    assert_one_sentence(done.stderr, says)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("cam data --weights nothing.pth -o x.h5", 66, "nothing.pth"),
        ("cam data --weights data/labels.csv -o x.h5", 65, "weights file"),
        ("pseudo-mask data/labels.csv -o x.h5", 65, "not an HDF5 file"),
        ("cam data --weights cls.pth --layer nowhere -o x.h5", 2, "nowhere"),
        ("cam data --weights cls.pth --split nowhere -o x.h5", 2, "nowhere"),
        ("cam data --weights cls.pth --device warp -o x.h5", 2, "warp"),
        ("cam data --split val --weights cls.pth -o no/such/folder/x.h5", 74, "No such file"),
        ("cotrain whole.h5 -o x.pth", 65, "mask"),
        ("pseudo-mask whole.h5 --refine crf --set frob=1 -o x.h5", 2, "frob"),
    ],
)
@pytest.mark.usefixtures("maps")
def test_a_bad_argument_gets_one_sentence_and_its_code(shell, line, code, says, monkeypatch):
    monkeypatch.chdir(shell.folder)
    done = CliRunner().invoke(app, shlex.split(line))  # in this process: another would first load torch
    assert done.exit_code == code, done.output
    assert not Path("x.h5").exists() and not Path("x.pth").exists()
    assert_one_sentence(done.stderr, says)


def assert_one_sentence(stderr: str, says: str) -> None:
    assert says in stderr and "Traceback" not in stderr
    assert len([text for text in stderr.splitlines() if "training" not in text]) == 1


@pytest.mark.slow
def test_a_picture_that_cannot_be_read_is_counted_not_fatal(shell):
    shell("rm -rf broken && cp -r data broken && echo nonsense > $(ls -d broken/images/* | head -1)")
    done = shell("wsstool cam broken --weights cls.pth -o partly.h5", code=3)
    assert "1 of 20 images failed" in done.stderr
    shell("wsstool check --full partly.h5")
    shell("wsstool pseudo-mask partly.h5 -o partly_masks.h5 --max-failed 1")
    shell("wsstool pseudo-mask partly.h5 -o partly_masks.h5", code=3)
