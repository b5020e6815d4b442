"""The Slurm example on a shim of sbatch and srun: an array, a merge after it, and tasks that are killed."""

import time

import pytest

from tests.cluster.conftest import EXAMPLES

SUBMIT = f"{EXAMPLES}/slurm/submit.sh"


@pytest.fixture
def submitted(cluster, tmp_path):
    """Submit, wait for both jobs and return how they ended."""

    def submitted(**more):
        words = cluster(f"{SUBMIT} 3 p.h5 propose data --workers 0", **more).stdout.replace(",", "").split()
        ends = [tmp_path / "shim" / f"{job}.end" for job in words[1::2]]
        limit = time.monotonic() + 120
        while not all(end.exists() for end in ends):
            assert time.monotonic() < limit
            time.sleep(0.02)
        return [end.read_text() for end in ends]

    return submitted


def logs(tmp_path):
    return {path.name: path.read_text() for path in tmp_path.glob("*.log")}


def test_a_killed_task_is_requeued_and_the_file_is_as_if_it_was_not(submitted, undisturbed, tmp_path):
    assert submitted(KILL="shard") == ["0", "0"]
    assert (tmp_path / "killed").exists()
    assert "resuming at record 3 of" in logs(tmp_path)["wsstool-shard.1001_1.log"]
    assert (tmp_path / "p.h5").read_bytes() == undisturbed


@pytest.mark.slow
def test_without_requeue_nothing_is_merged_and_submitting_again_computes_only_the_rest(
    submitted, undisturbed, tmp_path
):
    array, merge = submitted(KILL="shard", NO_REQUEUE="1")
    assert (array, merge) == ("-9", "cancelled") and not (tmp_path / "p.h5").exists()
    assert submitted() == ["0", "0"]
    found = logs(tmp_path)
    assert "resuming at record 3 of" in found["wsstool-shard.1003_1.log"]
    assert all("up to date" in found[f"wsstool-shard.1003_{i}.log"] for i in (0, 2))
    assert (tmp_path / "p.h5").read_bytes() == undisturbed


@pytest.mark.parametrize("words", ["", "0 p.h5 propose data", "three p.h5 propose", "3 p propose data"])
def test_a_wrong_call_submits_nothing(cluster, tmp_path, words):
    assert cluster(f"{SUBMIT} {words}", 2).stderr.startswith("usage: submit.sh SHARDS OUTPUT.h5")
    assert not list((tmp_path / "shim").iterdir())
