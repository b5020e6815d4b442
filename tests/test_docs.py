"""Pages that show commands are executed; pages that are generated are fresh; links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_blocks_exist(page):
    from wsstool.cli.app import COMMANDS

    for block in re.findall(r"```(?:bash|make|text)\n(.*?)```", page.read_text(), re.S):
        for name in re.findall(r"(?:^|\$ |\| *|; )wsstool ([a-z][a-z-]+)", block, re.M):
            assert name in COMMANDS, name


@pytest.fixture
def read_along(tmp_path):
    """Runs all bash blocks of a page in one shell, in an empty folder."""
    program = tmp_path / "bin" / "wsstool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wsstool "$@"\n')
    program.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WSSTOOL_")}
    environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def read_along(page: str) -> subprocess.CompletedProcess:
        blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.S)
        script = "set -euo pipefail\n" + "\n".join(blocks)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done

    return read_along


@pytest.mark.slow
def test_the_tutorial_runs(read_along, tmp_path):
    done = read_along("docs/tutorial/tags.md")
    assert "refine crf -> pamr" in done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_cvat_page_runs(read_along, tmp_path):
    done = read_along("docs/howto/cvat.md")
    assert "left out" not in done.stderr.replace("below 0.5 were left out", "")
    assert (tmp_path / "for-cvat.xml").read_text().count("<mask ") > 40
    good = (tmp_path / "good.xml").read_text()
    assert 0 < good.count("<box ") == good.count("<mask ")


@pytest.mark.slow
def test_the_tissue_page_runs(read_along, tmp_path):
    done = read_along("docs/howto/tissue-patches.md")
    assert "no layer" not in done.stderr and "training fcn-tiny, multilayer" in done.stderr
    assert (tmp_path / "gated.h5").exists()
    assert len(list((tmp_path / "train_PM").glob("PM_*/*.png"))) > 3


@pytest.mark.slow
def test_the_segmenter_page_runs(read_along, tmp_path):
    read_along("docs/howto/segmenter-from-pseudo-masks.md")
    assert (tmp_path / "seg.fcn8s-tiny.pth").exists() and (tmp_path / "prediction.h5").exists()


@pytest.mark.slow
def test_the_page_about_refiners_runs(read_along, tmp_path):
    read_along("docs/howto/sharper-masks.md")
    assert (tmp_path / "sure.h5").exists() and (tmp_path / "refiners.html").stat().st_size > 10_000
