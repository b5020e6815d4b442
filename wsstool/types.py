"""Small frozen types that cross the borders between modules. Numpy only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from wsstool.errors import BadInputError

IGNORE = 255
"""Label of a pixel that takes no part: void, unsure, or failed. The same in every mask."""


@dataclass(frozen=True)
class ClassList:
    """The classes of a data set. A class id is an index into ``names``.

    Args:
        names: one name a class, background included where there is one.
        background: class id of the background, or -1 for sets without one.
        palette: one RGB triple a class, or empty (a default palette is used).
    """

    names: tuple[str, ...]
    background: int = -1
    palette: tuple[tuple[int, int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def foreground(self) -> tuple[int, ...]:
        """Ids of the classes that are not background, in order: classifier output k is ``foreground[k]``."""
        return tuple(i for i in range(len(self.names)) if i != self.background)

    def require_same(self, other: ClassList, what: str) -> None:
        """Raise BadInputError unless both lists have the same names in the same order.

        Args:
            other: the list to compare with; its background and palette do not matter.
            what: the two owners, as the subject of the message: "'cls.pth' and 'data/'".

        Example:
            >>> ClassList(("cat", "emu")).require_same(ClassList(("cat", "dog")), "'cls.pth' and 'data/'")
            Traceback (most recent call last):
            wsstool.errors.BadInputError: 'cls.pth' and 'data/' have different classes (such as dog)
        """
        if self.names == other.names:
            return
        odd = sorted(set(self.names) ^ set(other.names))
        difference = f"different classes (such as {odd[0]})" if odd else "their classes in a different order"
        raise BadInputError(f"{what} have {difference}")


class Messages(Protocol):
    """Where a stage says what it does. The command line prints; a library call stays silent."""

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def track(self, total: int, what: str) -> AbstractContextManager[Advance]: ...


class Advance(Protocol):
    def __call__(self, n: int = 1) -> None: ...


class Silent:
    """Messages that go nowhere: the default of every stage."""

    def say(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass

    @contextmanager
    def track(self, total: int, what: str) -> Iterator[Advance]:
        yield lambda n=1: None


SILENT = Silent()

T = TypeVar("T")


def tracked(items: Iterable[T], messages: Messages, total: int, what: str) -> Iterator[T]:
    """Yield ``items`` while the progress of ``messages`` moves by one for each."""
    with messages.track(total, what) as advance:
        for item in items:
            yield item
            advance()
