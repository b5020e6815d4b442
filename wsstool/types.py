"""Small frozen types shared by all packages. Numpy only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from wsstool.errors import BadInputError

IGNORE = 255
"""Label of an ignored pixel: void, uncertain, or failed. The same in every mask."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of the red, green and blue of photographs in [0, 1]."""


@dataclass(frozen=True)
class ClassList:
    """The classes of a dataset. A class id is an index into ``names``.

    Args:
        names: one name per class, background included where there is one.
        background: class id of the background, or -1 for datasets without one.
        palette: one RGB triple per class, or empty (a default palette is used).
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
            wsstool.errors.BadInputError: 'cls.pth' and 'data/' have different classes: cat, emu; and cat, dog
        """
        if self.names == other.names:
            return
        odd = set(self.names) ^ set(other.names)
        difference = "different classes" if odd else "their classes in a different order"
        lists = "; and ".join(", ".join(names) for names in (self.names, other.names))
        raise BadInputError(f"{what} have {difference}: {lists}")


PACKAGES = "packages"
"""Entry of ``Params``: the methods of other packages that make a result."""


class Params(dict[str, Any]):
    """The options that are part of a key, by the name that is typed.

    Attributes:
        unused: those that do nothing beside the others and were not set; rebuilt commands leave them out.
    """

    def __init__(self, values: Mapping[str, Any], unused: Iterable[str] = ()) -> None:
        super().__init__(values)
        self.unused = frozenset(unused)


class Messages(Protocol):
    """Interface for messages, warnings and progress. The command line prints; library calls are silent."""

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def track(self, total: int, what: str) -> AbstractContextManager[Advance]: ...


class Advance(Protocol):
    def __call__(self, n: int = 1) -> None: ...


class Silent:
    """Discard all messages: the default of every stage."""

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
    """Yield ``items``, advancing the progress bar of ``messages`` by one per item."""
    with messages.track(total, what) as advance:
        for item in items:
            yield item
            advance()


class RecordFiles(str):
    """Several record files that are read as one; as text, the first of them.

    Args:
        paths: two or more, in any order.
    """

    paths: tuple[str, ...]

    def __new__(cls, paths: Iterable[str]) -> RecordFiles:
        given = tuple(paths)
        made = super().__new__(cls, given[0])
        made.paths = given
        return made

    def __reduce__(self) -> tuple[type[RecordFiles], tuple[tuple[str, ...]]]:
        return RecordFiles, (self.paths,)
