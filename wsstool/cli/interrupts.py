"""Interruptions from the keyboard that come where Python cannot raise them."""

from __future__ import annotations

import signal
import sys
from _thread import interrupt_main
from threading import Timer, get_ident
from typing import Any

DELAY = 0.02
"""Seconds until the interruption is repeated, by when the callback that swallowed it has returned."""


def repeat_ignored() -> None:
    """Repeat KeyboardInterrupt where the callback of a weak reference or a finaliser swallowed it.

    Python prints 'Exception ignored in' there and goes on; the command would run to its end.
    Call this in the main thread.
    """
    if getattr(sys.unraisablehook, "__module__", None) == __name__:
        return
    before, main = sys.unraisablehook, get_ident()

    def interrupt() -> None:
        if hasattr(signal, "pthread_kill"):  # also wakes a main thread that sleeps or waits for a pipe
            signal.pthread_kill(main, signal.SIGINT)
        else:
            interrupt_main()

    def repeating(ignored: Any) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            before(ignored)
        elif not sys.is_finalizing():
            again = Timer(DELAY, interrupt)  # at once, it would be swallowed again
            again.daemon = True
            again.start()

    sys.unraisablehook = repeating
