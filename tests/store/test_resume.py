"""Killed runs go on to the same bytes; whatever does not belong to this run is started over."""

import os
import signal
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from tests.messages import Heard
from tests.store.records import KINDS, Example, example
from wsstool import store
from wsstool.errors import BadInputError, BusyError, CannotWriteError
from wsstool.store.output.archive import write_compressed


def killed(made: Example, path: Path, at: int) -> None:
    """Write in a process of its own that is killed (SIGKILL) before record ``at``; N: before the tail."""
    process = os.fork()
    if process == 0:
        try:
            with store.create(made.header, path, env='{"python":"any"}') as writer:
                for i in range(writer.start, len(made) + 1):
                    if i == at:
                        os.kill(os.getpid(), signal.SIGKILL)
                    writer.fail("made to fail") if made.data[i] is None else writer.write(
                        made.data[i], **made.tails[i]
                    )
        finally:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("kind", KINDS)
def test_killed_again_and_again(kind, tmp_path):
    made = example(kind, 9, failed=(4,))
    path = tmp_path / "a.h5"
    whole = made.bytes(tmp_path)
    for at in (0, 1, 2, 2, 5, 8, 9):
        killed(made, path, at)
        assert sorted(os.listdir(tmp_path)) == ["a.h5.part", "a.h5.part.journal"]
    heard = Heard()
    made.write(path, messages=heard)
    assert heard.said[0] == "resuming at record 10 of 9"
    assert path.read_bytes() == whole and os.listdir(tmp_path) == ["a.h5"]


def test_goes_on_where_it_stopped(tmp_path):
    made = example(n=9)
    killed(made, tmp_path / "a.h5", 5)
    with store.create(made.header, tmp_path / "a.h5") as writer:
        assert writer.start == 5
        assert writer.failed == ["b/000001-ü.jpg"]
        with pytest.raises(BusyError, match="another process is writing"):
            store.create(made.header, tmp_path / "a.h5")
        for i in range(5, 9):
            writer.write(made.data[i], **made.tails[i])
        writer.max_failed = 9


@pytest.mark.parametrize("kind", ["cam", "mask"])
def test_part_and_journal_cut_anywhere(kind, tmp_path):
    made = example(kind, 5)
    path, part, journal = (tmp_path / f"a.h5{end}" for end in ("", ".part", ".part.journal"))
    whole = made.bytes(tmp_path)
    killed(made, path, 5)
    done, noted = part.read_bytes(), journal.read_bytes()
    head = len(made.header.layout().head)
    for i, length in enumerate([0, 1, head - 1, head, head + 1, *range(head, len(done), 37), len(done)]):
        part.write_bytes(done[:length])
        journal.write_bytes(noted[: (i * 7) % (len(noted) + 1)])
        made.write(path)
        assert path.read_bytes() == whole
        path.unlink()
    part.write_bytes(done + b"a tail that was half written")
    journal.write_bytes(noted + b"more")
    made.write(path)
    assert path.read_bytes() == whole


def test_part_of_another_run_starts_over(tmp_path):
    path = tmp_path / "a.h5"
    killed(example("mask", seed=1), path, 4)
    with store.create(example("mask", seed=2).header, path) as writer:
        assert writer.start == 0
        for one in example("mask", seed=2).data:
            writer.fail("") if one is None else writer.write(one)
        writer.max_failed = 9
    assert path.read_bytes()[:5000] == example("mask", seed=2).bytes(tmp_path)[:5000]


def test_force_does_not_resume(tmp_path):
    made = example("mask")
    killed(made, tmp_path / "a.h5", 4)
    with pytest.raises(InterruptedError), store.create(made.header, tmp_path / "a.h5", force=True) as writer:
        assert writer.start == 0
        raise InterruptedError


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_keeps_what_is_done(error, tmp_path):
    made = example("mask")
    with pytest.raises(error), store.create(made.header, tmp_path / "a.h5") as writer:
        writer.write(made.data[0])
        raise error
    assert not (tmp_path / "a.h5").exists()
    with pytest.raises(InterruptedError), store.create(made.header, tmp_path / "a.h5") as writer:
        assert writer.start == 1
        raise InterruptedError


def test_records_from_damaged_input_are_not_kept(tmp_path):
    """The checksum comes last; a later run with the same header must not go on from what came before it."""
    source = tmp_path / "in.h5"
    example("mask").write(source)
    whole = source.read_bytes()
    bad = bytearray(whole)
    bad[len(example("mask").header.layout().head) + 2] ^= 1
    for data, kept in ((bad, False), (whole[:-3], True)):
        with pytest.raises(BadInputError):
            (tmp_path / "bad.h5").write_bytes(data)
            reader, writer = os.pipe()  # a regular file that is too short would be refused at once
            os.write(writer, data)
            os.close(writer)
            with store.open_records(f"/dev/fd/{reader}") as opened:
                os.close(reader)
                store.copy(opened, tmp_path / "out.h5")
        assert (tmp_path / "out.h5.part").exists() == kept
    assert not (tmp_path / "out.h5").exists()


def piped(content: bytes) -> str:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return f"/dev/fd/{reader}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("through", ["file", "pipe", "archive"])
def test_records_from_input_that_was_never_found_whole(kind, through, tmp_path):
    """A cut input has no checksum: what was made of it is kept only if the whole input begins the same."""
    made = example(kind, 9)
    path, out = tmp_path / "in.h5", tmp_path / "out.h5"
    made.write(path)
    whole = path.read_bytes()
    head, width = len(made.header.layout().head), np.dtype(made.header.dtype).itemsize
    place, cut = head + int(made.header.offsets[0]) * width, head + int(made.header.offsets[6]) * width
    damaged = bytearray(whole[:cut])
    damaged[place] ^= 1
    if through == "archive":
        with store.open_records(path) as reader:
            write_compressed(reader, tmp_path / "archive.h5")
    for content, resumed in ((damaged, False), (whole[:cut], True)):
        with pytest.raises(BadInputError, match="truncated"), store.open_records(piped(content)) as reader:
            store.copy(reader, out)
        assert (tmp_path / "out.h5.part").exists()
        heard = Heard()
        again = {"file": path, "archive": tmp_path / "archive.h5"}.get(through) or piped(whole)
        with store.open_records(again) as reader:
            store.copy(reader, out, messages=heard)
        assert out.read_bytes() == whole
        said = {True: "resuming at record", False: "starting over: the records kept from before"}[resumed]
        assert heard.said[0].startswith(said)
        out.unlink()


def test_a_cut_input_keeps_what_was_made_of_a_longer_one(tmp_path):
    made = example("mask", 9)
    whole = made.bytes(tmp_path)
    head = len(made.header.layout().head)
    for record, said in ((7, []), (3, []), (9, ["resuming at record 8 of 9"])):
        content = whole[: head + int(made.header.offsets[record])] if record < 9 else whole
        heard = Heard()
        with (
            pytest.raises(BadInputError, match="truncated") if record < 9 else nullcontext(),
            store.open_records(piped(content)) as reader,
        ):
            store.copy(reader, tmp_path / "out.h5", messages=heard)
        assert heard.said == said
    assert (tmp_path / "out.h5").read_bytes() == whole


def test_a_journal_of_an_earlier_version_starts_over(tmp_path):
    """It does not say what the records were made of, and its entries are shorter."""
    made = example("cam", 9)
    whole = made.bytes(tmp_path)
    killed(made, tmp_path / "a.h5", 5)
    journal = tmp_path / "a.h5.part.journal"
    journal.write_bytes(journal.read_bytes().partition(b"\n")[2])
    with pytest.raises(InterruptedError), store.create(made.header, tmp_path / "a.h5") as writer:
        assert writer.start == 0
        raise InterruptedError
    made.write(tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_bytes() == whole


def test_the_output_is_complete_only_when_the_input_was(tmp_path):
    """Also where a stage stops at the last record, and asks for nothing after it."""
    made = example("mask")
    made.write(tmp_path / "in.h5")
    bad = bytearray((tmp_path / "in.h5").read_bytes())
    bad[-5] ^= 1
    (tmp_path / "bad.h5").write_bytes(bad)
    for name in ("in.h5", "bad.h5"):
        with (
            pytest.raises(BadInputError) if name == "bad.h5" else nullcontext(),
            store.open_records(tmp_path / name) as reader,
            store.create(reader.header, tmp_path / f"out-{name}", max_failed=9, reading=[reader]) as writer,
        ):
            for _, record in zip(range(len(made)), reader.records(), strict=False):
                writer.write(record.data)
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out-in.h5"]


def test_a_part_that_another_program_replaced_is_not_ours(tmp_path):
    made = example("mask")
    with (
        pytest.raises(CannotWriteError, match=r"another program replaced '.*a\.h5\.part' in the meantime"),
        store.create(made.header, tmp_path / "a.h5", max_failed=9) as writer,
    ):
        for one in made.data:
            writer.fail("") if one is None else writer.write(one)
        (tmp_path / "other").write_text("somebody's work")
        os.replace(tmp_path / "other", tmp_path / "a.h5.part")
    assert not (tmp_path / "a.h5").exists()
    assert (tmp_path / "a.h5.part").read_text() == "somebody's work"


def test_a_finished_file_is_never_locked_for_writing(tmp_path, monkeypatch):
    """Between our open and our lock, the holder of the part may finish: its result must survive."""
    made = example("mask")
    path = tmp_path / "a.h5"
    from wsstool.store.output.partial_file import PartFile

    lock, raced = PartFile._lock, []

    def finish_first(self, descriptor):
        if not raced:
            raced.append(1)
            os.replace(self.path, self.target)
        lock(self, descriptor)

    whole = made.bytes(tmp_path)
    (tmp_path / "a.h5.part").write_bytes(whole)
    monkeypatch.setattr(PartFile, "_lock", finish_first)
    with pytest.raises(InterruptedError):
        made.write(path, stop=2)
    assert path.read_bytes() == whole and raced


def test_a_run_that_stops_before_its_first_record_leaves_nothing(tmp_path):
    made = example(n=3)
    with pytest.raises(RuntimeError), store.create(made.header, tmp_path / "a.h5"):
        raise RuntimeError("at the first image")
    assert os.listdir(tmp_path) == []
    with pytest.raises(RuntimeError), store.create(made.header, tmp_path / "a.h5") as writer:
        writer.write(made.data[0], **made.tails[0])
        raise RuntimeError("at the second")
    assert sorted(os.listdir(tmp_path)) == ["a.h5.part", "a.h5.part.journal"]
