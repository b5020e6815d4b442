"""Groups of sentences per image: every sentence once per epoch, with its own box and mask, in one view."""

import numpy as np
import pytest
import torch

from wsstool.data.augmentation.whole_images import WholeImages
from wsstool.errors import UsageError
from wsstool.training.images.sentence_images import NamedObject, SentenceImages, join_groups

SENTENCES = {0: [3, 2], 1: [1], 2: [4]}  # image -> sentences of each object


def image(number: int) -> np.ndarray:
    return np.full((20, 40, 3), 10 * number, np.uint8)


def objects() -> list[NamedObject]:
    """Words and boxes carry the number of the object; sentence k of object n is the word 10 n + k + 1."""
    found = []
    for number, counts in SENTENCES.items():
        for count in counts:
            n = len(found)
            words = np.zeros((count, 3), np.int64)
            words[:, -1] = 10 * n + np.arange(count) + 1
            found.append(NamedObject(number, n, np.array([n, 0, n + 4, 10], np.float32), words))
    return found


def mask_of(one: NamedObject) -> np.ndarray:
    mask = np.zeros((20, 40), np.uint8)
    mask[:10, one.number : one.number + 4] = 1
    return mask


def dataset(group=2, **more) -> SentenceImages:
    return SentenceImages(image, objects(), WholeImages(20), group=group, **more)


@pytest.mark.parametrize("group", [1, 2, 3, 50])
def test_an_epoch_shows_every_sentence_once(group):
    data = dataset(group)
    for epoch in (0, 1):
        items = [data[epoch, k] for k in range(len(data))]
        assert max(len(one["words"]) for one in items) <= group
        shown = sorted(int(word) for one in items for word in one["words"][:, -1])
        assert shown == sorted(int(w) for one in objects() for w in one.words[:, -1])
    assert data.n_sentences == len(shown) == 10


def test_each_sentence_has_the_box_and_the_mask_of_its_object():
    for k in range(len(data := dataset(3, masks=mask_of))):
        one = data[0, k]
        number = one["words"][:, -1] // 10
        assert one["box"][:, 0].tolist() == (number / 2).tolist()  # 40 columns became 20
        columns = [int(mask.any(0).nonzero()[0, 0]) for mask in one["mask"]]
        assert np.abs(np.array(columns) - number.numpy() / 2).max() <= 0.5


def test_groups_change_with_the_epoch_but_not_with_the_process():
    data, again = dataset(2), dataset(2)
    first = [data[0, k]["words"] for k in range(len(data))]
    assert all(torch.equal(one, again[0, k]["words"]) for k, one in enumerate(first))
    assert any(not torch.equal(one, data[1, k]["words"]) for k, one in enumerate(first))


def test_a_batch_knows_the_image_of_each_sentence():
    data = dataset(2)
    batch = join_groups([data[0, k] for k in (0, 3, 5)])
    assert batch["image"].shape == (3, 3, 20, 20)
    assert len(batch["words"]) == len(batch["box"]) == len(batch["image_of"])
    assert batch["image_of"].tolist() == sorted(batch["image_of"].tolist())
    owner = [objects()[int(word) // 10].image for word in batch["words"][:, -1]]
    assert batch["image"][batch["image_of"]][:, 0, 0, 0].tolist() == [10 * one for one in owner]


def test_colours_change_and_places_do_not():
    plain = WholeImages(20)(np.full((20, 40, 3), 100, np.uint8), np.zeros((1, 4)), np.random.default_rng(0))
    bright = WholeImages(20, 0.5)(
        np.full((20, 40, 3), 100, np.uint8), np.array([[4, 2, 8, 6]]), np.random.default_rng(0)
    )
    assert plain.image.max() == 100 and bright.image.max() != 100
    assert bright.boxes.tolist() == [[2, 2, 4, 6]]


def test_bad_settings():
    with pytest.raises(UsageError, match="0 sentences in a group"):
        dataset(0)
    with pytest.raises(UsageError, match="--crop-size 4"):
        WholeImages(4)
    with pytest.raises(UsageError, match="colour jitter"):
        WholeImages(32, 1.5)
