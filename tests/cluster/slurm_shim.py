"""As much of ``sbatch`` and ``srun`` as the example needs: two tasks at a time on this machine.

Like Slurm, sbatch copies the script elsewhere, reads its ``#SBATCH`` lines, gives each task of an array its
variables, puts the output of both streams into one file, runs a task again that lost its node (here: that was
killed by signal 9) if the script asks for it, and starts a job only when the one it depends on ended well.
The jobs run in the background: the file ``JOB.end`` of the folder SHIM appears with the exit code.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SPOOL = Path(os.environ["SHIM"])


def options_of(words: list[str]) -> tuple[dict[str, str], list[str]]:
    found = {}
    while words and words[0].startswith("--"):
        name, _, value = words.pop(0)[2:].partition("=")
        found[name] = value
    return found, words


def task(script: Path, words: list[str], options: dict[str, str], job: str, number: int, count: int) -> int:
    own = {"SLURM_JOB_ID": job}
    name = options["output"].replace("%x", options["job-name"]).replace("%j", job).replace("%A", job)
    if "array" in options:
        own |= {f"SLURM_ARRAY_TASK_{k}": str(v) for k, v in {"ID": number, "COUNT": count, "MIN": 0}.items()}
        own |= {"SLURM_ARRAY_TASK_MAX": str(count - 1), "SLURM_ARRAY_JOB_ID": job}
        name = name.replace("%a", str(number))
    while True:
        with open(name, "a" if options.get("open-mode") == "append" else "w") as log:
            done = subprocess.run(
                ["bash", str(script), *words], env={**os.environ, **own}, stdout=log, stderr=log
            )
        if done.returncode != -9 or "requeue" not in options or os.environ.get("NO_REQUEUE"):
            return done.returncode
        own["SLURM_RESTART_COUNT"] = str(int(own.get("SLURM_RESTART_COUNT", 0)) + 1)


def run_job(script: Path, words: list[str], options: dict[str, str], job: str) -> None:
    kind, _, other = options.get("dependency", "").partition(":")
    while other and not (SPOOL / f"{other}.end").exists():
        time.sleep(0.02)
    code = "cancelled"
    if not other or kind != "afterok" or (SPOOL / f"{other}.end").read_text() == "0":
        count = int(options.get("array", "0-0").partition("-")[2]) + 1
        with ThreadPoolExecutor(2) as pool:
            codes = list(pool.map(lambda n: task(script, words, options, job, n, count), range(count)))
        code = str(next((one for one in codes if one), 0))
    (SPOOL / f"{job}.part").write_text(code)
    (SPOOL / f"{job}.part").rename(SPOOL / f"{job}.end")


def sbatch(words: list[str]) -> None:
    given, (script, *words) = options_of(words)
    lines = re.findall(r"^#SBATCH (--\S+)", Path(script).read_text(), re.M)
    options = options_of(lines)[0] | given
    job = str(1001 + len(list(SPOOL.glob("*.sh"))))
    copy = SPOOL / f"{job}.sh"
    shutil.copy(script, copy)
    print(job if "parsable" in options else f"Submitted batch job {job}", flush=True)
    if os.fork() == 0:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        run_job(copy, words, options, job)


if sys.argv[1] == "srun":
    os.execvp(sys.argv[2], sys.argv[2:])
sbatch(sys.argv[2:])
