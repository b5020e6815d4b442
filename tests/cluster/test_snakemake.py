"""The Snakefile on two cores: from a trained classifier to merged masks."""

import pytest

from tests.cluster.conftest import EXAMPLES

RECIPE = """
[train-cls]
arch = "tiny"
image-size = 48
epochs = 1
[cam]
workers = 0
[pseudo-mask]
background-threshold = 0.3
"""


@pytest.mark.slow
def test_a_killed_job_runs_again_and_the_file_is_as_if_it_was_not(cluster, tmp_path):
    pytest.importorskip("snakemake", reason="the package snakemake is not installed")
    (tmp_path / "quick.toml").write_text(RECIPE)
    cluster("wsstool train-cls data --recipe quick.toml --split train --workers 0 -o cls.pth")
    snakemake = f"python -m snakemake -s {EXAMPLES}/Snakefile --cores 2 --config shards=3 recipe=quick.toml"
    cluster(snakemake)
    alone = (tmp_path / "masks.h5").read_bytes()
    cluster("rm masks*.h5")
    done = cluster(snakemake, KILL="shard")
    assert (tmp_path / "killed").exists() and "resuming at record 3 of" in done.stderr
    assert (tmp_path / "masks.h5").read_bytes() == alone
    assert "Nothing to be done" in cluster(snakemake).stderr
