"""Score files: counts per image as JSON, to merge parts of a data set and rescore without masks.

The entry ``crc32`` is the checksum of the others, spelled as they are written; files of version 1 have none.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from wsstool.atomic import write_text
from wsstool.errors import BadInputError, MissingInputError
from wsstool.stages.scoring.scorer import Counts, Scorer

FORMAT = 2

C = TypeVar("C", bound=Counts)


def is_score_file(source: object) -> bool:
    """Whether a source is named like a score file."""
    return source is not None and Path(str(source)).suffix == ".json"


def kind_of(content: dict[str, Any]) -> str:
    """Return what a score file scores: the payload of the record file; files of label maps do not say so."""
    return str(content.get("kind", "mask"))


def load(path: str | Path) -> dict[str, Any]:
    """Return the content of a score file of any kind.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: no score file, one of a later version, or its checksum does not match.
    """
    content: Any = None
    try:
        content = json.loads(Path(path).read_bytes())
        version = content["wsstool_scores"]
        if version > FORMAT:
            raise BadInputError(f"'{path}' was written by a later version of wsstool")
        checksum = content.pop("crc32", None)
        is_old = version == 1 and checksum is None
        if not is_old and checksum != zlib.crc32(_text(content).encode()):
            raise BadInputError(f"'{path}' is damaged or was edited: its checksum does not match")
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(content, dict) and kind_of(content) == "box":
            raise BadInputError(
                f"'{path}' contains scores of detections without counts, as written by earlier versions; "
                "run eval on the detections again"
            ) from None
        raise not_a_score_file(path) from error
    return dict(content)


def _text(content: dict[str, Any]) -> str:
    """Spell the content in the one way over which checksums are taken, however the file is laid out."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def not_a_score_file(path: str | Path) -> BadInputError:
    """Return the error of a file that ``eval`` did not write."""
    return BadInputError(f"'{path}' is not a score file of 'wsstool eval -o'")


def write_counts(path: Path, counts: Counts, summary: dict[str, Any]) -> None:
    """Write a score file, whole or not at all; equal counts give equal bytes.

    Raises:
        CannotWriteError: no such folder, no space, no permission.
    """
    content = {"wsstool_scores": FORMAT, **counts.content(summary)}
    checksum = zlib.crc32(_text(content).encode())
    write_text(Path(path), _text({**content, "crc32": checksum}) + "\n")


def join_counts(paths: Sequence[str | Path], contents: Sequence[dict[str, Any]], counts: type[C]) -> C:
    """Join score files: the same counts as one pass over all images.

    Args:
        paths: the files.
        contents: of each, see ``load``.
        counts: what they hold.

    Raises:
        BadInputError: damaged, an image twice, or files that do not belong together.
    """
    parts: list[C] = []
    for path, content in zip(paths, contents, strict=True):
        try:
            parts.append(counts.of_content(content))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, BadInputError) as error:
            raise not_a_score_file(path) from error
    first, seen = parts[0], set(parts[0].images)
    for path, part in zip(paths[1:], parts[1:], strict=True):
        if twice := seen & set(part.images):
            raise BadInputError(f"'{path}' scores image '{min(twice)}' again")
        seen |= set(part.images)
        try:
            first.join(part)
        except ValueError as error:
            raise BadInputError(f"'{path}' {error} '{paths[0]}'") from None
    return first


def read_counts(path: str | Path, scorer: Scorer[C]) -> C:
    """Read one score file of a given kind.

    Raises:
        MissingInputError: there is no such file.
        BadInputError: damaged, or scores of something else.
    """
    content = load(path)
    if kind_of(content) not in scorer.kinds:
        raise BadInputError(f"'{path}' does not contain scores of {scorer.name}")
    return join_counts([path], [content], scorer.counts)
