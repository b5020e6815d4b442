"""A small data set, and wsstool as a command that can be killed once."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wsstool.stages.program.sample import sample

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EXAMPLES = ROOT / "examples/cluster"


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    sample(output=folder / "data", count=16, size=48)
    return folder / "data"


def program(path: Path, *words: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {" ".join(shlex.quote(str(word)) for word in words)} "$@"\n')
    path.chmod(0o755)


@pytest.fixture
def cluster(tmp_path, data, monkeypatch):
    """Run a line of bash in a folder with ``data``; ``wsstool``, ``sbatch`` and ``srun`` are commands."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data, tmp_path / "data")
    program(tmp_path / "bin/wsstool", sys.executable, HERE / "killed_once.py")
    for name in ("sbatch", "srun"):
        program(tmp_path / "bin" / name, sys.executable, HERE / "slurm_shim.py", name)
    (tmp_path / "shim").mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WSSTOOL_", "SLURM_", "RANK", "WORLD_"))}
    kept |= {"PATH": f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
    kept |= {"PYTHONPATH": str(ROOT), "SHIM": str(tmp_path / "shim"), "KILLED": str(tmp_path / "killed")}
    kept |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}

    def run(line: str, code: int = 0, **more: str) -> subprocess.CompletedProcess:
        done = subprocess.run(["bash", "-c", line], env=kept | more, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def undisturbed(data):
    """The merged file of a loop over three shards."""
    line = (
        "for i in 0 1 2; do $W propose data --workers 0 --shard $i/3 -o p.$i.h5 || exit; done && "
        "$W merge p.0.h5 p.1.h5 p.2.h5 -o p.h5"
    )
    own = {"W": f"{sys.executable} -m wsstool", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(["bash", "-c", line], cwd=data.parent, env={**os.environ, **own}, check=True)
    return (data.parent / "p.h5").read_bytes()
