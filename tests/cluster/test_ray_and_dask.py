"""The Ray and the Dask script on a cluster of two workers on this machine."""

import pytest

from tests.cluster.conftest import EXAMPLES

ENGINES = {
    "ray": ("ray", f"python {EXAMPLES}/wsstool_ray.py --shards 3 --cpus 1"),
    "dask": ("distributed", f"python {EXAMPLES}/wsstool_dask.py --shards 3 --workers 2"),
}
RAY_CLUSTER = {"RAY_ADDRESS": "local", "RAY_DEDUP_LOGS": "0"}


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request, cluster):
    package, line = request.param
    pytest.importorskip(package, reason=f"the package {package} is not installed")

    def engine(words: str, code: int = 0, **more: str):
        return cluster(f"{line} {words}", code, **RAY_CLUSTER, **more)

    return engine


@pytest.mark.slow
@pytest.mark.parametrize("kill", ["shard", "worker"])
def test_a_killed_shard_runs_again_and_the_file_is_as_if_it_was_not(engine, undisturbed, tmp_path, kill):
    done = engine("-o p.h5 propose data --workers 0", KILL=kill)
    assert (tmp_path / "killed").exists()
    assert "3 of 3 shards, 0 failed" in done.stderr
    assert "resuming at record 3 of" in done.stderr + done.stdout
    assert (tmp_path / "p.h5").read_bytes() == undisturbed


@pytest.mark.slow
def test_a_command_that_a_lost_worker_left_behind_is_waited_for(engine, undisturbed, tmp_path):
    done = engine("-o p.h5 propose data --workers 0", KILL="orphan")
    assert (tmp_path / "killed").exists()
    said = done.stderr + done.stdout  # Ray ends the children of a worker, Dask does not
    assert "another process is writing 'p.1.h5'" in said or "resuming at record 3 of" in said
    assert (tmp_path / "p.h5").read_bytes() == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("words", ["-o p.h5", "-o p propose data"])
def test_a_wrong_call_starts_nothing(engine, words):
    assert "give --shards of at least 1, -o NAME.h5" in engine(words, 2).stderr


@pytest.mark.slow
def test_a_wrong_option_is_reported_once_a_shard_and_nothing_is_merged(engine, tmp_path):
    done = engine("-o p.h5 propose nowhere --workers 0", 1)
    assert "not merged:\n  p." in done.stderr and done.stderr.count("see its message above") == 3
    assert "3 of 3 shards, 3 failed" in done.stderr and not list(tmp_path.glob("*.h5*"))
