"""wsstool that dies once: the first time that it runs the shard of ``KILL``, after two records.

``KILL`` is ``shard`` (the process alone), ``worker`` (also the process that started it) or ``orphan`` (only
that one: wsstool goes on, after long enough to be found at work).
"""

import os
import signal
import sys
import time
from pathlib import Path

from wsstool.cli.app import main


def die_after_two_records() -> None:
    from wsstool.store.output.writer import Writer

    write, written = Writer.write, []

    def write_and_die(self, *args, **tail):
        write(self, *args, **tail)
        written.append(1)
        if len(written) == 2:
            if os.environ["KILL"] != "shard":
                os.kill(os.getppid(), signal.SIGKILL)
            if os.environ["KILL"] != "orphan":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(10)

    Writer.write = write_and_die


def is_shard_1() -> bool:
    words = sys.argv[1:]
    if "merge" in words:
        return False
    by_task = "auto" in words and os.environ["SLURM_ARRAY_TASK_ID"] == "1"
    return by_task or any(word.startswith("1/") or word.endswith(".1.h5") for word in words)


if __name__ == "__main__":  # workers of a command import this file too
    if os.environ.get("KILL") and is_shard_1():
        try:
            Path(os.environ["KILLED"]).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            die_after_two_records()
    main()
