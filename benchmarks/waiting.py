"""How threads wait, passively or spinning: a training and a pipe, idle and beside a busy process.

    python benchmarks/waiting.py [--epochs 3] [--count 120] [--rounds 1]

Spinning is what OpenMP does where nobody chose (libgomp: 300,000 turns); passive is what wsstool sets. The
busy process is a plain loop in Python, one core. Passive waiting should cost nothing on an idle machine
(ratio about 1) and save most of the time beside another process. The load average is printed before each
measurement: figures count only where the idle rows began near 0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

POLICIES = {"passive": {"OMP_WAIT_POLICY": "PASSIVE"}, "spinning": {"GOMP_SPINCOUNT": "300000"}}
CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS")
WSSTOOL = f"{shlex.quote(sys.executable)} -m wsstool"


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other processes that each keep one core busy."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def run(line: str, folder: Path, policy: str) -> tuple[float, float]:
    """Wall and processor seconds of a line of bash in which ``wsstool`` is this checkout's."""
    environment = {k: v for k, v in os.environ.items() if k not in CHOICES} | POLICIES[policy]
    environment |= {"PYTHONPATH": str(Path(__file__).resolve().parents[1]), "WSSTOOL_CACHE": "0"}
    script = "set -eo pipefail; " + line.replace("wsstool ", f"{WSSTOOL} ")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--count", type=int, default=120, help="images of the drawn set")
    parser.add_argument("--rounds", type=int, default=1, help="the fastest of this many counts")
    options = parser.parse_args()
    lines = {
        "cotrain": "wsstool cotrain data --split train --recipe demo --device cpu "
        f"--epochs {options.epochs} --force -o seg.pth",
        "cam | pseudo-mask": "wsstool cam data --recipe demo --split train --device cpu --weights cls.pth | "
        "wsstool pseudo-mask --recipe demo --images data --force -o masks.h5",
    }
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run(f"wsstool sample -o data --count {options.count}", folder, "passive")
        train = "wsstool train-cls data --recipe demo --split train --epochs 2 --device cpu -o cls.pth"
        run(train, folder, "passive")
        print(f"{cores} cores, {options.count} images, {options.epochs} epochs of cotrain --recipe demo")
        for name, line in lines.items():
            for processes in (0, 1):
                found, load = {}, os.getloadavg()[0]
                with busy(processes):
                    for policy in POLICIES:
                        found[policy] = min(run(line, folder, policy) for _ in range(options.rounds))
                beside = "beside one busy process" if processes else "idle"
                print(f"{name}, {beside} (load average {load:.1f} before)")
                for policy, (wall, cpu) in found.items():
                    ratio = wall / found["passive"][0]
                    print(f"  {policy:8} {wall:6.1f} s, {cpu:6.1f} processor s: {ratio:5.2f} x passive")


if __name__ == "__main__":
    main()
