"""Writes the golden files: one small file of every kind, as schema version 1 had it.

They are kept for ever, so this runs once a schema version: ``python -m tests.store.make_golden``.
A file that is there is never replaced.
"""

from pathlib import Path

from tests.store.records import KINDS, example
from wsstool.store import SCHEMA

FOLDER = Path(__file__).parent / "golden"


def golden(kind: str):
    """The example that a golden file holds."""
    return example(kind, 5, seed=8, failed=(3,))


if __name__ == "__main__":
    for kind in KINDS:
        path = FOLDER / f"v{SCHEMA}-{kind}.h5"
        if not path.exists():
            golden(kind).write(path)
