"""Shards that the environment numbers, and outputs that are named after them."""

from pathlib import Path

import pytest

from wsstool.errors import UsageError
from wsstool.stages.options.objects import ProposeOptions
from wsstool.stages.options.parts import shard_of_environment
from wsstool.stages.options.pseudo_mask import PseudoMaskOptions

NAMES = ("ID", "COUNT", "MIN", "MAX", "STEP")


def array(*numbers):
    return {
        f"SLURM_ARRAY_TASK_{name}": str(one)
        for name, one in zip(NAMES, numbers, strict=False)
        if one is not None
    }


def ranks(rank, size):
    return {"RANK": str(rank), "WORLD_SIZE": str(size)}


@pytest.fixture
def environment(monkeypatch):
    for name in (*(f"SLURM_ARRAY_TASK_{one}" for one in NAMES), "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)

    def put(variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        (array(3, 8, 0, 7, 1), "3/8"),
        (array(1, 8, 1, 8, 1), "0/8"),
        (array(8, 4, 0, 12, 4), "2/4"),
        (array(5, 8), "5/8"),
        (ranks(0, 2), "0/2"),
        ({**array(1, 2, 0, 1, 1), **ranks(1, 2)}, "1/2"),
    ],
)
def test_the_environment_numbers_the_shard(variables, shard):
    assert shard_of_environment(variables) == shard


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "neither a Slurm array .* nor torchrun"),
        (
            {**array(0, 2, 0, 1, 1), **ranks(1, 2)},
            "the Slurm array says 0/2, but RANK and WORLD_SIZE say 1/2",
        ),
        ({"RANK": "1"}, "WORLD_SIZE is not set"),
        ({"WORLD_SIZE": "2"}, "RANK is not set"),
        (ranks("x", 2), "RANK is 'x'"),
        (ranks(2, 2), "RANK is 2, but WORLD_SIZE 2"),
        (array(3), "COUNT is not set"),
        (array(5, 2, 3, 5, 1), "no array without gaps"),  # tasks 3 and 5 of an array, run again
        (array(9, 8, 0, 7, 1), "no array without gaps"),
        (array(3, 2, 0, 4, 4), "no array without gaps"),
    ],
)
def test_what_numbers_no_shard(variables, sentence):
    with pytest.raises(UsageError, match=sentence):
        shard_of_environment(variables)


def test_the_number_in_the_name_of_the_output(environment):
    environment(array(4, 4, 3, 6, 1))
    options = ProposeOptions(data="data", shard="auto", output="out/p.%s.h5")
    assert (options.shard, options.output) == ("1/4", Path("out/p.1.h5"))
    assert options.key_params() == ProposeOptions(data="data", shard="1/4").key_params()
    assert ProposeOptions(data="data", shard="7/12", output="p.%s.h5").output == Path("p.7.h5")


def test_tasks_that_would_write_one_file(environment):
    environment(ranks(1, 2))
    with pytest.raises(UsageError, match="2 tasks would write the same file; write %s"):
        ProposeOptions(data="data", shard="auto", output="p.h5")
    for named in ("p.1.h5", "-", None):
        ProposeOptions(data="data", shard="auto", output=named)


@pytest.mark.parametrize(
    "options", [lambda o: ProposeOptions(data="data", output=o), lambda o: PseudoMaskOptions(output=o)]
)
def test_the_number_of_no_shard(options):
    with pytest.raises(UsageError, match="%s stands for the number of a shard"):
        options("p.%s.h5")
