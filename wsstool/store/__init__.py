"""The record store: the only package that uses HDF5.

Reading: ``open_records`` (one pass, in order, from any source) and ``open_random`` (by number, for workers).
Writing: ``new_header`` describes the file, ``create`` starts, resumes or skips it.
"""

from wsstool.store.build import new_header
from wsstool.store.columns import stored_text, text_column
from wsstool.store.header import Header
from wsstool.store.input.open_files import OpenFiles
from wsstool.store.input.opening import open_records, other_kind
from wsstool.store.input.reader import ChecksumError, Reader
from wsstool.store.input.record import Record
from wsstool.store.input.several import SeveralReader
from wsstool.store.output.copy import copy
from wsstool.store.output.create import create
from wsstool.store.output.environment import environment
from wsstool.store.output.spooled import Chain, SpooledArray
from wsstool.store.output.writer import Writer
from wsstool.store.provenance import Input, history, key_of
from wsstool.store.random_access import RandomAccess, open_random
from wsstool.store.schema import DONE, KINDS, SCHEMA
from wsstool.store.shard import parse_shard, shard_indices

__all__ = [
    "DONE",
    "KINDS",
    "SCHEMA",
    "Chain",
    "ChecksumError",
    "Header",
    "Input",
    "OpenFiles",
    "RandomAccess",
    "Reader",
    "Record",
    "SeveralReader",
    "SpooledArray",
    "Writer",
    "copy",
    "create",
    "environment",
    "history",
    "key_of",
    "new_header",
    "open_random",
    "open_records",
    "other_kind",
    "parse_shard",
    "shard_indices",
    "stored_text",
    "text_column",
]
