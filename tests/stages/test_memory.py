"""An image that is too large for the memory is one failed image."""

from pathlib import Path

import numpy as np
import pytest
import torch

from wsstool.errors import WsstoolError
from wsstool.memory import TooLargeError, is_lack_of_memory, within_memory
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.records import Payload, per_image

LACKS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("std::bad_alloc"),
]


@pytest.mark.parametrize("error", LACKS)
def test_the_sentence(error):
    def fail():
        raise error

    found = within_memory(fail, (3000, 2000))
    assert isinstance(found, TooLargeError) and "2000 x 3000 pixels" in str(found)
    assert found.__traceback__ is None and found.__context__ is None  # frames would keep the arrays alive


def test_real_lacks():
    for make in (lambda: np.empty(1 << 58, np.uint8), lambda: torch.empty(1 << 58, dtype=torch.uint8)):
        assert isinstance(within_memory(make, (1, 1)), TooLargeError)


def test_other_errors_are_raised():
    def fail():
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        within_memory(fail, (1, 1))
    assert not is_lack_of_memory(ValueError("x"))


@pytest.mark.parametrize("error", LACKS)
def test_a_batch_is_tried_image_by_image(error):
    """Of one batch, only the image fails that does not fit alone."""
    calls = []

    def compute(numbers, images):
        calls.append(list(numbers))
        for i in numbers:
            if len(numbers) > 2 or i == 1:
                raise error
            yield Payload(images[numbers.index(i)])

    images = [np.full((4, 6, 3), i, np.uint8) for i in range(4)]
    found = list(per_image([([0, 1, 2, 3], list(images))], compute))
    assert calls == [[0, 1, 2, 3], [0], [1], [2], [3]]
    assert [isinstance(one, WsstoolError) for one in found] == [False, True, False, False]
    assert "6 x 4 pixels" in str(found[1]) and (found[3].data == 3).all()


def test_decoding(tmp_path: Path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("wsstool.data.images.opened", fail)
    found = read_sized_image(tmp_path / "a.png", np.array([3000, 2000]))
    assert isinstance(found, TooLargeError) and "2000 x 3000 pixels" in str(found)
