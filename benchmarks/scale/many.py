"""What many names and many files cost: a list against a walk, shards read as one against the merged file.

Run on an idle machine: ``python benchmarks/scale/many.py [IMAGES]``.
Ratios are the medians of alternating runs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wsstool import store
from wsstool.types import RecordFiles

SHARDS = 8
ROUNDS = 5


def seconds(call: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(one: Callable[[], object], other: Callable[[], object]) -> str:
    """Median times of two calls, run in turn, and their ratio."""
    pairs = [(seconds(one), seconds(other)) for _ in range(ROUNDS)]
    a, b = (statistics.median(times) for times in zip(*pairs, strict=True))
    return f"{a:.2f} s against {b:.2f} s: {a / b:.3f} x"


def wsstool(*words: object) -> None:
    """Run a command."""
    subprocess.run([sys.executable, "-m", "wsstool", *map(str, words), "-q"], check=True)


def start_of_a_list(folder: Path, n: int) -> None:
    """Time until the last of ``SHARDS`` processes would know its images, from a list and from a walk."""
    data, names = folder / "many", [f"images/{i // 1000:03d}/{i % 1000:03d}.png" for i in range(n)]
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    code = (
        "from wsstool.data.dataset import open_dataset; from wsstool.data.name_list import read_name_list; "
        "from wsstool import store; d = open_dataset({data!r}, labels='images'{listed}); "
        "d = d.subset(store.shard_indices(d.names, '0/8')); d.check_there()"
    )
    listed = f", name_list=read_name_list({str(folder / 'names.txt')!r})"
    for what, one in (("list", listed), ("walk", "")):
        line = [sys.executable, "-c", code.format(data=str(data), listed=one)]
        times = [seconds(lambda line=line: subprocess.run(line, check=True)) for _ in range(3)]
        print(f"{n} names by {what}, from the start of python to the images of a shard: {min(times):.2f} s")


def read(source: object) -> None:
    """Read all records and the tail."""
    with store.open_records(source) as reader:
        reader.finish()


def several_against_merged(folder: Path, images: int) -> None:
    """Masks and proposals of shards, read and used, against the merged file."""
    data = folder / "data"
    wsstool("sample", "-o", data, "--count", images)
    parts = [folder / f"p.{i}.h5" for i in range(SHARDS)]
    for i, part in enumerate(parts):
        wsstool("propose", data, "--shard", f"{i}/{SHARDS}", "-o", part)
    wsstool("merge", *parts, "-o", folder / "merged.h5")
    files = RecordFiles(map(str, parts))
    print(
        "reading shards as one / the merged file:",
        ratio(lambda: read(files), lambda: read(folder / "merged.h5")),
    )
    words = ("eval", "--truth", data, "--json")
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    program = [sys.executable, "-m", "wsstool"]
    one = [*program, words[0], *map(str, parts), *map(str, words[1:])]
    other = [*program, words[0], str(folder / "merged.h5"), *map(str, words[1:])]
    print("eval of shards / of the merged file:", ratio(
        lambda: subprocess.run(one, **quiet), lambda: subprocess.run(other, **quiet)
    ))  # fmt: skip


def shards_against_one_process(folder: Path) -> None:
    """Eight shards, two at a time, against one process with two workers."""
    data = folder / "data"

    def in_shards() -> None:
        waiting = list(range(SHARDS))
        running: list[subprocess.Popen] = []
        while waiting or running:
            running = [one for one in running if one.poll() is None]
            if waiting and len(running) < 2:
                i = waiting.pop()
                words = ("--shard", f"{i}/{SHARDS}", "--workers", "1", "--force", "-q")
                line = [
                    sys.executable,
                    "-m",
                    "wsstool",
                    "propose",
                    str(data),
                    *words,
                    "-o",
                    f"{folder}/q.{i}.h5",
                ]
                running.append(subprocess.Popen(line))
            time.sleep(0.02)

    one = ("propose", data, "--workers", 2, "--force", "-o", folder / "one.h5")
    a, b = seconds(in_shards), seconds(lambda: wsstool(*one))
    print(f"{SHARDS} shards, two at a time / one process of two workers: {a:.1f} s, {b:.1f} s: {a / b:.2f} x")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    with tempfile.TemporaryDirectory() as name:
        start_of_a_list(Path(name), 100_000)
        several_against_merged(Path(name), images)
        shards_against_one_process(Path(name))
