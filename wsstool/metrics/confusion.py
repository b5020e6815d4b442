"""Count pairs (ground truth, prediction) over label maps: the table from which every metric is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wsstool.types import IGNORE

_AT_ONCE = 1 << 24  #: pixels that are counted together: more memory for larger images is not needed


@dataclass(frozen=True)
class ImageCounts:
    """The sparse matrices of N images: resampled by a bootstrap and stored in a score file.

    Args:
        n_images: N; images without a counted pixel have no rows.
        image: (M,) int64, index of the image.
        cell: (M,) int64, ``truth * (n_classes + 1) + prediction``, see :attr:`ConfusionMatrix.matrix`.
        count: (M,) int64, pixels, at least 1.
    """

    n_images: int
    image: np.ndarray
    cell: np.ndarray
    count: np.ndarray


class ConfusionMatrix:
    """Pixels of the whole dataset by true class (row) and predicted class (column).

    The matrix has ``n_classes`` rows and one more column: the last holds pixels whose prediction is
    ``ignore``, so that the decision how to count them is left to the evaluation of the matrix.

    Args:
        n_classes: number of classes, background included, 1 to 254.
        ignore: label of ground-truth pixels that are not counted, and of undecided predictions.
        keep_images: also keep the matrix of every image (compactly), for intervals and per-image scores.

    Notes:
        Merging the matrices of shards equals one pass, image by image, in the order of merging.

    Source:
        Common practice; written independently.

    Example:
        >>> m = ConfusionMatrix(2)
        >>> m.update(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
        >>> m.matrix.tolist()
        [[1, 1, 0], [0, 0, 0]]
    """

    def __init__(self, n_classes: int, *, ignore: int = IGNORE, keep_images: bool = False) -> None:
        if not 1 <= n_classes <= 254:
            raise ValueError(f"a confusion matrix takes 1 to 254 classes, not {n_classes}")
        self.n_classes = n_classes
        self.ignore = ignore
        self.keep_images = keep_images
        self.matrix = np.zeros((n_classes, n_classes + 1), np.int64)
        self.ignored = 0  #: ignored ground-truth pixels
        self.n_images = 0
        self._cells: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    def update(self, prediction: np.ndarray, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            prediction: (H, W) uint8 class ids or ``ignore``.
            truth: (H, W) uint8 class ids or ``ignore``.

        Raises:
            ValueError: the shapes or dtypes differ, or a value is neither a class id nor ``ignore``.
        """
        one, ignored = count_pairs(prediction, truth, self.n_classes, ignore=self.ignore)
        self._append(one)
        self.ignored += ignored

    def update_counts(self, matrix: np.ndarray) -> None:
        """Add one image whose (n_classes, n_classes + 1) matrix is known already."""
        self._append(np.asarray(matrix, np.int64))

    def _append(self, one: np.ndarray) -> None:
        self.matrix += one
        self.n_images += 1
        if self.keep_images:
            cells = np.flatnonzero(one)
            self._cells.append(cells)
            self._counts.append(one.ravel()[cells])

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the counts of ``other``.

        Raises:
            ValueError: the classes differ, or only one keeps its images.
        """
        if (self.n_classes, self.ignore) != (other.n_classes, other.ignore):
            raise ValueError(f"cannot merge matrices of {self.n_classes} and {other.n_classes} classes")
        if self.keep_images != other.keep_images:
            raise ValueError("cannot merge a matrix that keeps its images with one that does not")
        self.matrix += other.matrix
        self.ignored += other.ignored
        self.n_images += other.n_images
        self._cells += other._cells
        self._counts += other._counts

    def images(self) -> ImageCounts:
        """Return the matrices of the images seen so far.

        Raises:
            ValueError: created without ``keep_images``.
        """
        if not self.keep_images:
            raise ValueError("this matrix was created without keep_images")
        sizes = [c.size for c in self._cells]
        empty = np.zeros(0, np.int64)
        return ImageCounts(
            self.n_images,
            np.repeat(np.arange(self.n_images), sizes),
            np.concatenate([empty, *self._cells]),
            np.concatenate([empty, *self._counts]),
        )


def count_pairs(
    prediction: np.ndarray, truth: np.ndarray, n_classes: int, *, ignore: int = IGNORE
) -> tuple[np.ndarray, int]:
    """Return the confusion matrix of one image.

    Label maps are flat: neighbours are mostly equal. So the pairs are first compared with their left
    neighbours (a few vector instructions per pixel), and only the starts of runs are looked up, weighted by
    run length. Noisy maps are counted pixel by pixel with 16-bit keys. Labels stay uint8 throughout, and
    ignored ground truth has its own row of the histogram instead of a mask.

    Args:
        prediction: (H, W) uint8.
        truth: (H, W) uint8.
        n_classes: number of classes.
        ignore: label that is not counted.

    Returns:
        (n_classes, n_classes + 1) int64 counts, the last column for ignored predictions, and the number
        of ignored ground-truth pixels.

    Raises:
        ValueError: the shapes or dtypes differ, or a value is neither a class id nor ``ignore``.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"the prediction has size {_size(prediction)}, but the ground truth {_size(truth)}")
    if prediction.dtype != np.uint8 or truth.dtype != np.uint8:
        raise ValueError(f"label maps must be uint8, not {prediction.dtype} and {truth.dtype}")
    p, t = prediction.reshape(-1), truth.reshape(-1)
    matrix, ignored = np.zeros((n_classes, n_classes + 1), np.int64), 0
    for first in range(0, p.size, _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        one, unseen = _count_part(p[part], t[part], n_classes, ignore)
        matrix += one
        ignored += unseen
    return matrix, ignored


def _count_part(p: np.ndarray, t: np.ndarray, n_classes: int, ignore: int) -> tuple[np.ndarray, int]:
    """Count (n,) pairs, n > 0; see ``count_pairs``."""
    columns = n_classes + 1
    if p.max() >= n_classes:
        _refuse_unknown(np.unique(p), n_classes, ignore, "prediction")
        p = np.minimum(p, np.uint8(n_classes))
    if ignore < n_classes:
        p = np.where(p == ignore, np.uint8(n_classes), p)
    changes = p[1:] != p[:-1]
    changes |= t[1:] != t[:-1]
    if np.count_nonzero(changes) > p.size // 12:
        keys = t.astype(np.uint16)
        keys *= np.uint16(columns)
        keys += p
        counts = np.bincount(keys, minlength=256 * columns)
    else:
        starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
        lengths = np.diff(starts, append=p.size)
        keys = t[starts].astype(np.intp) * columns + p[starts]
        counts = np.bincount(keys, weights=lengths, minlength=256 * columns).astype(np.int64)
    table = counts.reshape(256, columns)
    ignored = int(table[ignore].sum())
    table[ignore] = 0
    _refuse_unknown(np.flatnonzero(table.any(axis=1)), n_classes, ignore, "ground truth")
    return table[:n_classes].astype(np.int64), ignored


def _refuse_unknown(values: np.ndarray, n_classes: int, ignore: int, which: str) -> None:
    unknown = [int(v) for v in values if v >= n_classes and v != ignore]
    if unknown:
        shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        raise ValueError(
            f"the {which} contains {shown}, but classes are 0 to {n_classes - 1} and {ignore} is ignored"
        )


def _size(labels: np.ndarray) -> str:
    return " x ".join(map(str, labels.shape))
