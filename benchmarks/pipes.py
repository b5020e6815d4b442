"""What a pipe of stages costs: ratios against the stages alone, memory against the number of records.

Synthetic stages over the real store, as processes: ``busy`` ones compute, ``waiting`` ones sleep, as a stage
does whose work is on an accelerator. Run on an idle machine: ``python benchmarks/pipes.py``.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.types import ClassList

COST = 0.008  #: seconds a record of a stage
N = 500
SIDE = (94, 125)


def header(n: int, side: tuple[int, int], stage: str, inputs: tuple[store.Input, ...] = ()) -> store.Header:
    """N masks of one size."""
    return store.new_header(
        "mask",
        stage=stage,
        params={"n": n, "side": side},
        inputs=inputs,
        images=[f"2007_{i:06d}.jpg" for i in range(n)],
        sizes=np.tile(side, (n, 1)),
        shapes=np.tile([1, *side], (n, 1)),
        classes=ClassList(("background", "object"), 0),
    )


def work(kind: str) -> None:
    """One record's cost: processor time, or time in which the processor is free."""
    if kind == "wait":
        time.sleep(COST)
    elif kind == "busy":
        end = time.thread_time() + COST
        while time.thread_time() < end:
            pass


def stage(role: str, kind: str, n: int, side: tuple[int, int]) -> None:
    """Write N records, or read standard input and write as many."""
    data = np.ones((1, *side), np.uint8)
    if role == "first":
        with store.create(header(n, side, "first")) as writer:
            for _ in range(writer.start, n):
                work(kind)
                writer.write(data)
    else:
        with store.open_records() as reader:
            made = header(n, side, "next", (reader.header.as_input(),))
            with store.create(made) as writer:
                for record in reader.records(writer.start):
                    work(kind)
                    writer.write(record.data)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)


def run(line: str, n: int = N, side: tuple[int, int] = SIDE) -> tuple[float, float, list[int]]:
    """Wall and processor seconds, and each stage's resident kilobytes, of ``"first busy | next wait"``.

    With ``&`` in place of ``|`` the stages run side by side and have nothing to do with each other.
    """
    sign = "&" if "&" in line else "|"
    size = f"{n} {side[0]} {side[1]}"
    words = [f"{sys.executable} {__file__} {part.strip()} {size} > /dev/null" for part in line.split(sign)]
    if sign == "|":
        words[:-1] = [word.removesuffix("> /dev/null") for word in words[:-1]]
    script = f"set -o pipefail; {f' {sign} '.join(words)}; code=$?; wait; exit $code"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["bash", "-c", script], stderr=subprocess.PIPE, check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, [int(kb) for kb in done.stderr.split()]


def overlap() -> None:
    cores = len(os.sched_getaffinity(0))
    print(f"two stages of {N} records, {COST * 1e3:.0f} ms each, {cores} cores (target 1.1)")
    for first, second in (("busy", "busy"), ("wait", "wait"), ("busy", "wait")):
        alone = max(run(f"first {one}")[0] for one in (first, second))
        beside = min(run(f"first {first} & first {second}")[0] for _ in range(2))
        wall, cpu, _ = min(run(f"first {first} | next {second}") for _ in range(2))
        print(
            f"  {first} | {second}: {wall:5.2f} s; slower alone {alone:5.2f} s, processor / cores "
            f"{cpu / cores:5.2f} s: ratio {wall / max(alone, cpu / cores):.2f}"
        )
        print(f"    side by side without a pipe {beside:5.2f} s: ratio {wall / beside:.2f}")


def memory() -> None:
    print("resident memory, MB (producer | consumer), 20 x 20 masks")
    few, many = (run("first none | next none", n, (20, 20))[2] for n in (500, 50_000))
    for n, found in ((500, few), (50_000, many)):
        print(f"  {n:6d} records: {' | '.join(f'{kb / 1024:.0f}' for kb in found)}")
    print(f"  growth a record, head columns and names included: {(max(many) - max(few)) / 49_500:.2f} kB")


def bulk() -> None:
    n, side = 2000, (500, 500)
    megabytes = n * side[0] * side[1] / 1e6
    wall, cpu, found = min(run("first none | next none", n, side) for _ in range(3))
    speed = megabytes / wall
    alone = min(run("first none", n, side)[0] for _ in range(3))
    print(f"bulk: {megabytes:.0f} MB through one pipe with checksums in {wall:.2f} s, {speed:.0f} MB/s;")
    print(
        f"  {cpu:.2f} processor seconds of both sides, {max(found) / 1024:.0f} MB resident; start-up included"
    )
    print(f"  writer alone {alone:.2f} s: ratio {wall / alone:.2f}")


def many_images() -> None:
    start = time.perf_counter()
    made = header(100_000, (4, 4), "first")
    layout = made.layout()
    planned = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.h5")
        start = time.perf_counter()
        with store.create(made, path) as writer:
            data = np.ones((1, 4, 4), np.uint8)
            for _ in range(len(made)):
                writer.write(data)
        written = time.perf_counter() - start
        start = time.perf_counter()
        opened = store.open_random(path)
        read = time.perf_counter() - start
        at = np.random.default_rng(0).integers(0, len(made), 5000).tolist()
        start = time.perf_counter()
        for i in at:
            opened[i]
        random = (time.perf_counter() - start) / len(at)
    print(f"100,000 images: header planned in {planned:.2f} s ({len(layout.head) / 1e6:.1f} MB),")
    print(f"  written in {written:.1f} s, checked in {read:.1f} s, a random record {random * 1e6:.0f} us")


def help_time() -> None:
    def seconds(*words: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    found = min(seconds("-m", "wsstool", "--help") for _ in range(5))
    bare = min(seconds("-c", "pass") for _ in range(5))
    print(f"wsstool --help: {found:.2f} s (target 0.3), of which the interpreter alone {bare:.2f} s")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        stage(sys.argv[1], sys.argv[2], int(sys.argv[3]), (int(sys.argv[4]), int(sys.argv[5])))
    else:
        for part in (help_time, many_images, overlap, memory, bulk):
            part()
