"""Run a command of wsstool in shards on a Ray cluster, then merge the parts.

python wsstool_ray.py --shards 64 --gpus 1 -o cams.h5 cam data --weights cls.pth
"""

import argparse
import os
import subprocess
import sys
import time

import ray

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
    parser.add_argument("--cpus", type=float, default=1, help="cores per shard")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs per shard; 0.5: two shards share one")
    parser.add_argument("--retries", type=int, default=3, help="times that a lost shard is run again")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="command of wsstool and its options")
    given = parser.parse_args()
    if given.shards < 1 or not given.output.endswith(".h5") or not given.command:
        parser.error("give --shards of at least 1, -o NAME.h5, and then a command of wsstool")
    parts = [f"{given.output.removesuffix('.h5')}.{i}.h5" for i in range(given.shards)]

    ray.init(log_to_driver=True)  # RAY_ADDRESS names a cluster; without it, this machine is one
    shard = ray.remote(
        num_cpus=given.cpus, num_gpus=given.gpus, max_retries=given.retries, retry_exceptions=[KilledError]
    )(run)
    running = {}
    for i, part in enumerate(parts):
        words = [*given.command, "--shard", f"{i}/{given.shards}", "-o", part]
        running[shard.remote(words, os.getcwd())] = part
    failed = []
    for count in range(1, given.shards + 1):
        (done,), _ = ray.wait(list(running), num_returns=1)
        part = running.pop(done)
        try:
            problem = ray.get(done) and "see its message above"
        except (KilledError, ray.exceptions.RayError) as error:
            problem = str(error).strip().splitlines()[-1]
        failed += [f"{part}: {problem}"] if problem else []
        print(f"{count} of {given.shards} shards, {len(failed)} failed", file=sys.stderr)
    if failed:
        print("not merged:", *failed, sep="\n  ", file=sys.stderr)
        return 1
    return run(["merge", *parts, "-o", given.output], os.getcwd())


if __name__ == "__main__":
    sys.exit(main())
