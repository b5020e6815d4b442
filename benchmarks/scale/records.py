"""What record files cost as the number of records grows: headers in full, payload of one byte a record.

    python benchmarks/scale/records.py [--most 1000000] [--most-merged 1000000] [--fan-in 100 1000]

Every measurement runs in a process of its own, whose peak memory is printed. Files have the header of
``predict`` (one mask per image) and of ``cam`` (three maps per image), with names of 24 characters. Nothing
is extrapolated. Each further factor of 10 takes ten times as long: minutes for a million records.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.stages.streams.merge import merge
from wsstool.types import ClassList

CLASSES = ClassList(tuple(["background", *(f"class {i}" for i in range(20))]), 0)
MAPS = 3  #: class maps of an image


def names(count: int) -> list[str]:
    """``count`` names in order, 24 characters, a thousand to a folder."""
    return [f"images/{i // 1000:06d}/{i % 1000:06d}.jpg" for i in range(count)]


def header(kind: str, images: list[str], shard: str | None = None) -> store.Header:
    """The header of a file with a payload of one element for each map or mask, of images of one pixel."""
    n, blocks = len(images), MAPS if kind == "cam" else 1
    more = {}
    if kind == "cam":
        more["columns"] = {
            "layer_size": np.ones((n, 1, 2), np.int32),
            "map_offset": np.arange(n + 1) * MAPS,
            "map_class": np.tile(np.arange(1, 1 + MAPS), n),
        }
        more["labels"] = np.zeros((n, len(CLASSES.names)), np.uint8)
        more["attributes"] = {"layers": ["last"]}
    return store.new_header(
        kind,
        stage="cam" if kind == "cam" else "predict",
        params={"shard": shard} if shard else {},
        inputs=(store.Input("data", {"fingerprint": f"{shard}"}, "data"),),
        images=images,
        sizes=np.tile([1, 1], (n, 1)),
        shapes=np.tile([blocks, 1, 1], (n, 1)),
        classes=CLASSES,
        image_root="data",
        **more,
    )


def write(header: store.Header, path: Path) -> None:
    with store.create(header, path) as writer:
        record = np.ones(int(header.shapes[0][0]) if len(header) else 0, header.dtype)
        for _ in range(writer.start, len(header)):
            writer.write(record)


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds: other work on the machine makes no difference."""
    start = time.process_time()
    work()
    return round(time.process_time() - start, 3)


# What a process of its own measures: name -> function of its words that returns numbers.


def plan(kind: str, count: str) -> dict[str, float]:
    made = header(kind, names(int(count)))
    found = {"s": seconds(lambda: made.layout())}
    return found | {"bytes": len(made.layout().head)}


def written(kind: str, count: str, folder: str) -> dict[str, float]:
    made, path = header(kind, names(int(count))), Path(folder, f"{kind}.h5")
    return {"s": seconds(lambda: write(made, path)), "bytes": path.stat().st_size}


def opened(kind: str, count: str, folder: str) -> dict[str, float]:
    path = Path(folder, f"{kind}.h5")

    def first() -> None:
        with store.open_records(path) as reader:
            next(iter(reader.records()))

    def every() -> None:
        with store.open_records(path) as reader:
            for _ in reader.records():
                pass

    return {"first": seconds(first), "s": seconds(every)}


def resumed(kind: str, count: str, folder: str) -> dict[str, float]:
    """Stop after all records but one, and start again: the time to that last record."""
    made, path = header(kind, names(int(count))), Path(folder, f"{kind}.h5")
    record = np.ones(int(made.shapes[0][0]), made.dtype)
    writer = store.create(made, path)
    for _ in range(len(made) - 1):
        writer.write(record)
    writer.close()

    def again() -> None:
        with store.create(made, path) as writer:
            assert writer.start == len(made) - 1
            writer.write(record)

    journal = Path(f"{path}.part.journal").stat().st_size
    return {"s": seconds(again), "journal": journal}


def shards(count: str, parts: str, folder: str) -> dict[str, float]:
    """Write the parts that ``merged`` reads."""
    images, n = names(int(count)), int(parts)
    own: list[list[str]] = [[] for _ in range(n)]
    for name in images:
        own[zlib.crc32(name.encode()) % n].append(name)
    whole = seconds(
        lambda: [write(header("mask", own[i], f"{i}/{n}"), Path(folder, f"part.{i}.h5")) for i in range(n)]
    )
    return {"s": whole, "fewest": min(map(len, own)), "most": max(map(len, own))}


def merged(count: str, parts: str, folder: str) -> dict[str, float]:
    sources, output = [str(Path(folder, f"part.{i}.h5")) for i in range(int(parts))], Path(folder, "all.h5")
    opens = []

    def counted(event: str, _: object) -> None:
        if event == "open":
            opens.append(1)

    sys.addaudithook(counted)
    took = seconds(lambda: merge(sources, output=output, force=True))
    return {"s": took, "bytes": output.stat().st_size, "opens": len(opens)}


def history(parts: str, folder: str) -> dict[str, float]:
    """Header of a file merged from many parts of one image each: it names all of them."""
    inputs = [
        header("mask", [f"{i}.jpg"], f"{i}/{parts}").as_input(path=f"part.{i}.h5") for i in range(int(parts))
    ]
    merged = store.new_header(
        "mask",
        stage="merge",
        params={},
        inputs=inputs,
        images=["0.jpg"],
        sizes=np.ones((1, 2), np.int32),
        shapes=np.ones((1, 3), np.int32),
        classes=CLASSES,
    )
    path = Path(folder, "history.h5")
    write(merged, path)

    def whole() -> None:
        with store.open_records(path) as reader:
            reader.drain()

    return {"bytes": path.stat().st_size, "s": seconds(whole)}


def listed(count: str, folder: str) -> dict[str, float]:
    """Read a list of names as ``--files-from`` does, and take one shard of it."""
    from wsstool.data.name_list import read_name_list

    path = Path(folder, "names.txt")
    path.write_text("\n".join(names(int(count))) + "\n")
    return {"s": seconds(lambda: store.shard_indices(read_name_list(path).names, "0/1000"))}


def nothing() -> dict[str, float]:
    """Memory of the imports alone."""
    return {}


MEASURED = {
    one.__name__: one for one in (nothing, plan, written, opened, resumed, shards, merged, history, listed)
}


def measured(name: str, *words: object) -> dict[str, float]:
    """What ``name`` measures in a process of its own, and its peak memory in megabytes."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", name, *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{name} {words}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def counts(most: int) -> Iterator[int]:
    count = 10_000
    while count <= most:
        yield count
        count *= 10


def header_table(most: int, folder: Path) -> None:
    print("kind  records     head B/record   plan s    write s (us a record)   B/record in all   MB")
    for kind in ("mask", "cam"):
        for n in counts(most):
            head, whole = measured("plan", kind, n), measured("written", kind, n, folder)
            read = measured("opened", kind, n, folder)
            print(
                f"{kind:5} {n:10,} {head['bytes'] / n:10.1f} {head['s']:10.2f} {whole['s']:10.1f} "
                f"({1e6 * whole['s'] / n:5.1f}) {whole['bytes'] / n:17.1f} {whole['MB']:10.0f}"
            )
            print(
                f"      read: first record after {read['first']:.2f} s, all in {read['s']:.1f} s "
                f"({1e6 * read['s'] / n:.1f} us a record), {read['MB']:.0f} MB",
                flush=True,
            )
            (folder / f"{kind}.h5").unlink()
            again = measured("resumed", kind, n, folder)
            print(f"      resumed at the last record in {again['s']:.2f} s", end=", ")
            print(f"journal {again['journal'] / n:.1f} bytes a record", flush=True)
            (folder / f"{kind}.h5").unlink()


def merge_table(most: int, fan_in: list[int], folder: Path) -> None:
    print("merge: records  parts   fewest .. most a part   write all s    merge s (us a record)         MB")
    rows = [(n, 10) for n in counts(most)] + [(100_000, parts) for parts in fan_in]
    for n, parts in rows:
        made, joined = measured("shards", n, parts, folder), measured("merged", n, parts, folder)
        print(
            f"{n:15,} {parts:6} {made['fewest']:10.0f} .. {made['most']:8.0f} {made['s']:13.1f} "
            f"{joined['s']:10.1f} ({1e6 * joined['s'] / n:6.1f}) {joined['MB']:10.0f}"
        )
        print(f"      {joined['bytes']:,.0f} bytes, files opened {joined['opens']:,.0f} times", flush=True)
        for path in folder.glob("*.h5"):
            path.unlink()


def history_table(most: int, folder: Path) -> None:
    print("history of a merged file: parts   bytes a part   read s    MB")
    for parts in counts(most // 10):
        found = measured("history", parts, folder)
        print(f"{parts:31,} {found['bytes'] / parts:14.0f} {found['s']:8.2f} {found['MB']:5.0f}", flush=True)
        (folder / "history.h5").unlink()


def list_table(most: int, folder: Path) -> None:
    print("list of names: records   s    us a name    MB")
    for n in counts(most):
        found = measured("listed", n, folder)
        print(f"{n:15,} {found['s']:10.2f} {1e6 * found['s'] / n:8.2f} {found['MB']:10.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=int, default=100_000, help="records of the largest file written")
    parser.add_argument("--most-merged", type=int, default=100_000, help="records of the largest merged file")
    parser.add_argument("--fan-in", type=int, nargs="*", default=[100, 1000], help="parts of a merge")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        name, *words = given.measure
        found = MEASURED[name](*words)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**found, "MB": round(peak, 1)}))
        return
    print(f"processor seconds; {measured('nothing')['MB']:.0f} MB of every process are its imports")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        header_table(given.most, folder)
        merge_table(given.most_merged, given.fan_in, folder)
        history_table(given.most_merged, folder)
        list_table(given.most, folder)


if __name__ == "__main__":
    main()
