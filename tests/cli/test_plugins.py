"""Methods of other packages: the how-to page, executed, and what of them enters the key of a result."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/own-method.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return found


def install(folder: Path, version: str = "", code: str = "") -> None:
    """Put the package of the page where Python looks for packages, as pip does."""
    project = tomllib.loads(block("toml"))["project"]
    version = version or project["version"]
    for old in folder.glob("*.dist-info"):
        shutil.rmtree(old)
    described = folder / f"my_method-{version}.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / "my_method.py").write_text(code or block("python"))


class Shell:
    """Runs bash where the package of the page is installed."""

    def __init__(self, folder: Path) -> None:
        self.site, self.work = folder / "site", folder / "work"
        self.work.mkdir()
        program = folder / "bin" / "wsstool"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wsstool "$@"\n')
        program.chmod(0o755)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("WSSTOOL_")}
        self.environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        self.environment |= {"PYTHONPATH": f"{ROOT}:{self.site}", "PYTHONDONTWRITEBYTECODE": "1"}

    def __call__(self, script: str) -> str:
        words = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(words, cwd=self.work, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Shell:
    shell = Shell(tmp_path_factory.mktemp("plugin"))
    install(shell.site)
    shell.page = shell(block("bash"))
    return shell


@pytest.mark.slow
def test_the_page(run):
    assert "smooth" in run.page and "from my-method 0.1" in run.page
    assert re.search(r"my-method 0\.1, wsstool\.refiners smooth, [0-9a-f]{16}", run.page)
    script = (run.work / "again.sh").read_text()
    assert "\n# needs my-method 0.1, wsstool.refiners smooth" in script
    assert "--refine smooth" in script and "--set sigma=3.0" in script and "--packages" not in script
    assert subprocess.run(["bash", "-n", run.work / "again.sh"]).returncode == 0


def test_a_changed_package_makes_another_result(run):
    command = "wsstool pseudo-mask cams.h5 --refine smooth --set sigma=3 -o masks.h5"
    assert "up to date" in run(command)
    install(run.site, code=block("python").replace("gaussian_filter(one, sigma)", "0 * one"))
    assert "recomputing" in run(command)
    install(run.site, version="0.2")
    changed = run(command)
    assert "packages" in changed and "0.2" in changed
    assert "up to date" in run(command)


def test_results_without_it_keep_their_key(run):
    def key() -> str:
        plain = run("wsstool pseudo-mask cams.h5 -q --force -o plain.h5 && wsstool info --json plain.h5")
        return re.findall(r'"key": "([0-9a-f]{32})"', plain)[0]

    with_it, hidden = key(), run.site.with_name("hidden")
    run.site.rename(hidden)
    try:
        assert key() == with_it
    finally:
        hidden.rename(run.site)
