"""Run a command of wsstool in shards on a Dask cluster, then merge the parts.

python wsstool_dask.py --shards 64 --scheduler tcp://head:8786 -o cams.h5 cam data --weights cls.pth
"""

import argparse
import os
import subprocess
import sys
import time

from distributed import Client, as_completed

BUSY = 75  #: exit code: another process writes this output


class KilledError(Exception):
    """The process was killed: worth another try, which continues at the next image."""


def run(words: list[str], folder: str) -> int:
    """Run wsstool and return its exit code. A command that was left behind by a lost worker is waited for."""
    while (code := subprocess.call(["wsstool", *words], cwd=folder, stdin=subprocess.DEVNULL)) == BUSY:
        time.sleep(2)
    if code < 0 or code > 128:
        raise KilledError(f"wsstool {' '.join(words)}: killed by signal {-code if code < 0 else code - 128}")
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("-o", "--output", required=True, help="the merged file, NAME.h5")
    parser.add_argument("--scheduler", help="its address; without it, this machine is the cluster")
    parser.add_argument("--workers", type=int, help="of a cluster on this machine, one shard each")
    parser.add_argument("--resource", help="of Dask workers that a shard takes one unit of, such as GPU")
    parser.add_argument("--retries", type=int, default=3, help="times that a lost shard is run again")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="command of wsstool and its options")
    given = parser.parse_args()
    if given.shards < 1 or not given.output.endswith(".h5") or not given.command:
        parser.error("give --shards of at least 1, -o NAME.h5, and then a command of wsstool")
    parts = [f"{given.output.removesuffix('.h5')}.{i}.h5" for i in range(given.shards)]
    cluster = {"n_workers": given.workers, "threads_per_worker": 1, "dashboard_address": None}

    with Client(given.scheduler) if given.scheduler else Client(**cluster) as client:
        running = {}
        for i, part in enumerate(parts):
            words = [*given.command, "--shard", f"{i}/{given.shards}", "-o", part]
            needed = {given.resource: 1} if given.resource else None
            future = client.submit(
                run, words, os.getcwd(), pure=False, retries=given.retries, resources=needed
            )
            running[future] = part
        failed = []
        for count, done in enumerate(as_completed(running), 1):
            error = done.exception()
            problem = str(error or (done.result() and "see its message above") or "")
            failed += [f"{running[done]}: {problem}"] if problem else []
            print(f"{count} of {given.shards} shards, {len(failed)} failed", file=sys.stderr)
    if failed:
        print("not merged:", *failed, sep="\n  ", file=sys.stderr)
        return 1
    return run(["merge", *parts, "-o", given.output], os.getcwd())


if __name__ == "__main__":
    sys.exit(main())
