"""Writes the golden files: one small file of every kind, of the schema version that it needs.

They are kept for ever, so this runs once per schema version: ``python -m tests.store.make_golden``.
A file that is there is never replaced.
"""

from pathlib import Path

from tests.store.records import KINDS, Example, example

FOLDER = Path(__file__).parent / "golden"


def golden(kind: str) -> Example:
    """The example that a golden file holds."""
    return example(kind, 5, seed=8, failed=(3,))


def golden_path(kind: str) -> Path:
    """The file of a kind, named after its schema version."""
    return FOLDER / f"v{golden(kind).header.schema}-{kind}.h5"


if __name__ == "__main__":
    for kind in KINDS:
        path = golden_path(kind)
        if not path.exists():
            golden(kind).write(path)
