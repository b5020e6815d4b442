"""Start, resume or skip the writing of a record file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from wsstool.errors import BusyError, CannotWriteError, WsstoolError
from wsstool.store.header import Header
from wsstool.store.input.opening import open_records
from wsstool.store.input.reader import Reader
from wsstool.store.output import cache
from wsstool.store.output.environment import environment
from wsstool.store.output.partial_file import PartFile, Sink, discard_part, open_stream
from wsstool.store.output.replace import check_replaceable, difference
from wsstool.store.output.writer import Writer
from wsstool.types import SILENT, Messages


def create(
    header: Header,
    output: Path | str | None = None,
    *,
    force: bool = False,
    max_failed: int = 0,
    messages: Messages = SILENT,
    env: str | None = None,
    cached: bool = True,
    reading: Sequence[Reader] = (),
) -> Writer:
    """Start, resume or skip the writing of a record file. The header is written at once.

    Args:
        header: of the file to write.
        output: target path; None or ``-``: standard output. A FIFO or a device is treated likewise.
        force: compute again although the target is up to date, and do not resume.
        max_failed: failed records above which leaving raises SomeFailedError (with a complete file).
        env: text of the ``environment`` column; default: ``environment()``.
        cached: whether WSSTOOL_CACHE applies to standard output.
        reading: record files that are read, in order of their images, while this one is written. What an
            interrupted run left is kept only if they are the same up to there; and the output is complete
            only once they have been read to their ends.
    Raises:
        UsageError: standard output is a terminal.
        BusyError, CannotWriteError: the output is locked, or not writable.
    """
    env = environment() if env is None else env
    stream = open_stream(output)
    if stream is not None:
        return _to_stream(
            header, stream, force, Writer(header, None, stream, max_failed, messages, env, reading), cached
        )
    target = Path(os.path.realpath(str(output)))  # keep a link and replace its target
    if not force and target.exists():
        check_replaceable(target, header, str(output))
        status = _current(target, header, messages, str(output))
        if status is not None:
            writer = Writer(header, None, None, max_failed, messages, env, reading)
            writer.tail["status"][:] = status
            writer.start, writer.done = len(header), True
            with suppress(OSError):
                os.utime(target)
            discard_part(target, header.layout().head)
            return writer
    part = PartFile(target, output)
    return _begun(Writer(header, part, None, max_failed, messages, env, reading), force)


def _begun(writer: Writer, force: bool) -> Writer:
    try:
        if force and writer._part:
            writer._part.empty()
        writer._begin()
    except BaseException:
        writer.close()
        raise
    return writer


def _to_stream(header: Header, stream: Sink, force: bool, writer: Writer, cached: bool) -> Writer:
    """Stream the result to a pipe, served from the cache, copied into it, or uncached."""
    try:
        folder = _cache_folder(writer.messages) if cached else None
        if folder is None:
            return _begun(writer, force)
        entry = cache.entry(folder, header.key)
        if not force and entry.exists() and _current(entry, header, SILENT) is not None:
            writer.messages.say(f"reading the result from the cache (key {header.key[:12]})")
            with open_records(entry) as reader:
                cache.touch(entry)
                writer._begin()
                writer._repeat(reader)
                writer.tail["status"][:] = reader.tail["status"]
            writer.start = len(header)
            return writer
        try:
            writer._part = PartFile(entry)
        except BusyError:
            pass  # another run writes this entry: just compute
        except CannotWriteError as error:
            writer.messages.warn(f"not cached: {error}")
    except BaseException:
        writer.close()
        raise
    return _begun(writer, force)


def _cache_folder(messages: Messages) -> Path | None:
    """Return the cache folder; None if caching is off, or on where nothing can be written."""
    try:
        return cache.folder()
    except CannotWriteError as error:
        messages.warn(f"not cached: {error}; name another folder with WSSTOOL_CACHE=FOLDER")
        return None


def _current(target: Path, header: Header, messages: Messages, name: str = "") -> np.ndarray | None:
    """Return the status column if the target is exactly this result and complete; else report why."""
    name = name or str(target)
    try:
        with open_records(target, header_only=True) as reader:
            why = difference(reader.header, header)
            if not why:
                reader.drain()
                messages.say(f"'{name}' is up to date (key {header.key[:12]})")
                return reader.tail["status"]
    except WsstoolError as error:
        why = str(error)
    messages.say(f"recomputing '{name}': {why}")
    return None
