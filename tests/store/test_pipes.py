"""Real shells, real pipes: what users type, and what can go wrong there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.records import example, read

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(tmp_path):
    """Run a line of bash in an empty folder; ``produce`` and ``consume`` are the made-up commands."""

    def run(line, **environment):
        return finish(start(line, **environment))

    def start(line, **environment):
        program = f"'{sys.executable}' -m tests.store.program"
        functions = f"""
            produce() {{ {program} produce "$@"; }}
            consume() {{ {program} consume "$@"; }}
            wsstool() {{ '{sys.executable}' -m wsstool "$@"; }}
            """
        settings = {"PYTHONPATH": str(ROOT), "WSSTOOL_CACHE": "", **environment}
        return subprocess.Popen(
            ["bash", "-c", functions + line],
            cwd=tmp_path,
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(process):
        out, err = process.communicate(timeout=60)
        assert b"Traceback" not in err, err.decode()
        return process.returncode, out, err.decode()

    run.start, run.finish = start, finish
    return run


def values(path):
    return [int(record.data.flat[0]) for record in read(path)[1]]


DOUBLED = [2 * i for i in range(40)]


def test_every_way_through_a_pipe_gives_the_same_bytes(shell, tmp_path):
    code, _, err = shell(
        """
        set -eo pipefail
        produce -o a.h5
        produce | tee b.h5 | consume -o c.h5
        produce > d.h5
        consume < a.h5 > e.h5
        consume <(produce) > f.h5
        mkfifo fifo; cat a.h5 > fifo & consume fifo -o - | cat > g.h5; wait
        """
    )
    assert code == 0, err
    same = {(tmp_path / f"{name}.h5").read_bytes() for name in "abd"}
    assert len(same) == 1 and values(tmp_path / "a.h5") == list(range(40))
    assert values(tmp_path / "c.h5") == DOUBLED
    assert len({(tmp_path / f"{name}.h5").read_bytes() for name in "cefg"}) == 1
    assert not [name for name in os.listdir(tmp_path) if "part" in name]


@pytest.mark.slow
def test_repacked_and_doubled_files_on_a_pipe(shell, tmp_path):
    _, out, err = shell(
        """
        produce -o a.h5; wsstool cat a.h5 --compress gzip -o z.h5
        cat z.h5 | consume -o b.h5; echo $?
        cat z.h5 | wsstool cat > again.h5; echo $?
        cat a.h5 a.h5 | consume -o c.h5; echo $?
        wsstool check --full a.h5 z.h5 >&2; wsstool info z.h5 >&2
        """
    )
    assert out.split() == [b"0", b"0", b"65"], err
    assert values(tmp_path / "b.h5") == DOUBLED and not (tmp_path / "c.h5").exists()
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "a.h5").read_bytes()
    assert "two concatenated files" in err and err.count("whole, mask, 40 images") == 2


def test_the_reader_goes_away(shell):
    _, out, err = shell("produce --side 300 | head -c 100 > /dev/null; echo ${PIPESTATUS[0]}")
    assert (out.strip(), err) == (b"141", "")


def test_no_space(shell, tmp_path):
    _, out, err = shell("produce > /dev/full; echo $?; produce -o /dev/full; echo $?")
    assert out.split() == [b"74", b"74"] and err.count("No space left on device") == 2
    (tmp_path / "small").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path / "small"], stderr=subprocess.DEVNULL
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        _, out, err = shell(
            """
            produce --side 100 -o small/a.h5; echo $?; ls small
            produce | wsstool cat --compress gzip -o small/b.h5; echo $?
            """
        )
    finally:
        subprocess.run(["umount", tmp_path / "small"], check=True)
    assert out.split()[0] == b"74" and b"a.h5" not in out.split() and out.split()[-1] == b"74"


def test_two_writers_of_one_output(shell, tmp_path):
    slow = shell.start("produce --wait .1 -o a.h5")
    while not (tmp_path / "a.h5.part").exists():
        time.sleep(0.05)
    code, _, err = shell("produce -o a.h5")
    assert code == 75 and "another process is writing 'a.h5'" in err
    assert shell.finish(slow)[0] == 0 and values(tmp_path / "a.h5") == list(range(40))


def test_upstream_is_killed(shell, tmp_path):
    code, out, err = shell("produce --die 20 | consume -o a.h5; echo ${PIPESTATUS[@]}")
    assert out.split() == [b"137", b"65"] and "standard input is truncated" in err
    assert sorted(os.listdir(tmp_path)) == ["a.h5.part", "a.h5.part.journal"]
    code, out, err = shell("produce | consume -o a.h5")
    assert code == 0 and "resuming at record 21 of 40" in err
    assert values(tmp_path / "a.h5") == DOUBLED
    code, out, err = shell("produce --die 20 | consume | consume > c.h5; echo ${PIPESTATUS[@]}")
    assert out.split() == [b"137", b"65", b"65"]
    assert shell("wsstool check c.h5")[0] == 65


def test_interrupted_from_the_keyboard(shell, tmp_path):
    process = shell.start(f"exec '{sys.executable}' -m tests.store.program produce --wait .2 -o a.h5")
    while not (tmp_path / "a.h5.part").exists():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    code, _, err = shell.finish(process)
    assert code == 130 and "interrupted; finished work is kept" in err
    assert (tmp_path / "a.h5.part").exists() and not (tmp_path / "a.h5").exists()


def test_interrupted_while_hdf5_waits_for_the_header(shell):
    """The signal comes while HDF5 reads from the pipe, through which no exception may travel."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.program", "consume"],
        cwd=ROOT,
        env={**os.environ, "TRACE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(example("mask").header.layout().head[:1000])
    process.stdin.flush()
    assert process.stderr.readline() == b"opening\n"
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert b"Traceback" not in process.stderr.read()
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def test_records_flow_one_by_one(shell):
    """The consumer works while the producer does: it has the header, and records, long before the end."""
    process = shell.start("produce --wait .25 --n 12 | consume | cat > /dev/null", TRACE="1")
    _, err = process.communicate(timeout=60)
    lines = err.decode().split("\n")
    assert lines.index("header") < lines.index("computed 11")
    # 'computed 5' appears first upstream and then downstream, before upstream computes its last
    assert lines.index("computed 5", lines.index("computed 5") + 1) < lines.index("computed 11")


def test_closed_descriptors(shell):
    _, _, err = shell("produce >&-; echo $? >&2; consume <&-; echo $? >&2; consume . ; echo $? >&2")
    assert [line for line in err.split("\n") if line.isdecimal()] == ["74", "2", "65"]


def test_a_cached_result_is_found_from_the_header_alone(shell, tmp_path):
    """Downstream has its result before upstream has computed a record; it drains its input all the same."""
    cache = {"WSSTOOL_CACHE": str(tmp_path / "cache")}
    first = shell("produce --n 8 | consume > a.h5", **cache, TRACE="1")
    assert first[0] == 0 and first[2].count("computed") == 16
    (path,) = [p for p in (tmp_path / "cache").iterdir() if read(p)[0].stage == "produce"]
    path.unlink()
    code, _, err = shell(
        "produce --n 8 --wait .3 | consume | cat > b.h5; echo ${PIPESTATUS[@]} >&2", **cache, TRACE="1"
    )
    assert code == 0
    lines = err.split("\n")
    hit = next(i for i, line in enumerate(lines) if "from the cache" in line)
    assert hit < lines.index("computed 7") and err.count("computed") == 8 and "0 0 0" in lines
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    path.unlink()
    _, _, err = shell("produce --n 8 --die 4 | consume > c.h5; echo ${PIPESTATUS[@]} >&2", **cache)
    assert "137 65" in err  # the failure upstream still counts
