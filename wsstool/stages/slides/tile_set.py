"""``tiles.json``: which slides a tile set was cut from, and where its tiles lie."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wsstool.data.pictures.tile_grid import TILE_SET, TileGrid
from wsstool.errors import BadInputError, MissingInputError

IMAGES = "images"
_FORMAT = "wsstool tiles 1"
_SAMPLED = 1 << 20  #: bytes from the start, the middle and the end of a slide by which it is recognised


@dataclass(frozen=True)
class TiledSlide:
    """A slide and its tiles.

    Attributes:
        name: folder of the tiles below ``images/``.
        file: the slide's file name.
        fingerprint: of its content, see ``fingerprint``.
        rows, columns: of the full resolution.
        mpp: microns per pixel of the full resolution, or None.
        level: of the slide, from which the tiles were read.
        grid: of the tiles.
        tiles: how many were written; the others are bare glass.
    """

    name: str
    file: str
    fingerprint: str
    rows: int
    columns: int
    mpp: float | None
    level: int
    grid: TileGrid
    tiles: int

    @property
    def tile_mpp(self) -> float | None:
        """Microns per pixel of the tiles, or None."""
        return None if self.mpp is None else self.mpp * self.grid.downsample

    def as_json(self) -> dict[str, Any]:
        """Return the slide as an object for JSON, the grid among the rest."""
        found = asdict(self)
        grid: TileGrid = found.pop("grid")
        return {
            **found,
            "downsample": grid.downsample,
            "tile_mpp": self.tile_mpp,
            "grid_rows": grid.size[0],
            "grid_columns": grid.size[1],
            "size": grid.side,
            "tops": list(grid.tops),
            "lefts": list(grid.lefts),
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> TiledSlide:
        """Return the slide of an object that ``as_json`` made; raise KeyError, TypeError or ValueError."""
        grid = TileGrid(
            (int(found["grid_rows"]), int(found["grid_columns"])),
            int(found["size"]),
            _rising(found["tops"]),
            _rising(found["lefts"]),
            float(found["downsample"]),
        )
        shape = grid.shape()
        inside = grid.tops[-1] + shape[0] <= grid.size[0] and grid.lefts[-1] + shape[1] <= grid.size[1]
        if not inside or min(shape) < 1 or not 1 <= grid.downsample < float("inf"):
            raise ValueError("the tiles do not fit into the slide")
        own: dict[str, Any] = {key: found[key] for key in ("name", "file", "fingerprint", "mpp")}
        own |= {key: int(found[key]) for key in ("rows", "columns", "level", "tiles")}
        return cls(**own, grid=grid)


def write_tile_set(folder: Path, made_from: dict[str, Any], slides: list[TiledSlide]) -> None:
    """Write ``tiles.json`` into a folder."""
    rows = ",\n".join("  " + json.dumps(one.as_json(), ensure_ascii=False) for one in slides)
    head = f'"format": {json.dumps(_FORMAT)},\n "made_from": {json.dumps(made_from, ensure_ascii=False)}'
    text = f'{{{head},\n "slides": [\n{rows}\n ]}}\n'
    (folder / TILE_SET).write_text(text, encoding="utf-8")


def read_tile_set(path: Path) -> tuple[dict[str, Any], list[TiledSlide]]:
    """Read ``tiles.json``, or that of a folder.

    Returns:
        what the set was made from, and its slides.

    Raises:
        MissingInputError: no such file.
        BadInputError: not the file of a tile set, or damaged.
    """
    path = path / TILE_SET if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r}")
        return dict(content["made_from"]), [TiledSlide.from_json(one) for one in content["slides"]]
    except FileNotFoundError:
        raise MissingInputError(f"there is no file '{path}', which 'wsstool tiles' writes") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BadInputError(f"'{path}' is not the description of a tile set, or damaged ({error})") from None


def fingerprint(path: Path) -> str:
    """Return a hash of the length of a file and of its start, middle and end: slides have gigabytes."""
    length = os.path.getsize(path)
    found = hashlib.sha256(str(length).encode())
    with open(path, "rb") as file:
        for at in sorted({0, max(0, length // 2 - _SAMPLED // 2), max(0, length - _SAMPLED)}):
            file.seek(at)
            found.update(file.read(_SAMPLED))
    return found.hexdigest()[:32]


def _rising(numbers: list[int]) -> tuple[int, ...]:
    found = tuple(int(one) for one in numbers)
    if not found or found[0] < 0 or list(found) != sorted(set(found)):
        raise ValueError("the places of the tiles are out of order")
    return found
