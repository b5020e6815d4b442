"""Small scenes for selectors, and the definition of the published rule, drawn pixel by pixel."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from wsstool.regions import Proposals


def scene(seed: int = 0, height: int = 24, width: int = 30, grid: int = 4, n: int = 30):
    """Random rectangles of superpixels as proposals, a noisy map of two of them joined, and a box."""
    rng = np.random.default_rng(seed)
    columns = -(-width // grid)
    rows = -(-height // grid)
    y, x = np.mgrid[:height, :width] // grid
    superpixels = (y * columns + x).astype(np.uint16)
    count = rows * columns
    table: list[tuple[int, int, int]] = []
    masks = []
    for _ in range(n):
        top, left = rng.integers(0, rows - 2), rng.integers(0, columns - 2)
        down, right = top + rng.integers(1, 4), left + rng.integers(1, 4)
        held = [
            i * columns + j for i in range(top, min(down, rows)) for j in range(left, min(right, columns))
        ]
        node = held[0]
        for one in held[1:]:
            table.append((node, one, 0))
            node = count + len(table) - 1
        if len(held) == 1:
            table.append((node, node, 1))
        else:
            table[-1] = (*table[-1][:2], 1)
        masks.append(np.isin(superpixels, held))
    proposals = Proposals(superpixels, np.array(table, np.uint16))
    target = masks[0] | masks[1]
    prior = np.clip(target * 0.8 + rng.normal(0, 0.15, target.shape), 0, 1).astype(np.float32)
    where = np.nonzero(target)
    box = np.array(
        [where[1].min(), where[0].min(), where[1].max() + 1, where[0].max() + 1], np.float32
    ) + rng.integers(-1, 2, 4)
    return proposals, masks, prior, target, box


def band(mask: np.ndarray, radius: int) -> np.ndarray:
    """Dilated minus eroded by a square; what lies beyond the picture is not in the mask."""
    square = np.ones((2 * radius + 1,) * 2, bool)
    return ndimage.binary_dilation(mask, square) & ~ndimage.binary_erosion(mask, square)


def naive_greedy(masks, prior, box, *, guide="contour", f1=False, coverage=0.0, inside=0.9, radius=1):
    """The published procedure with dense masks: every boundary is drawn anew. Sets as sorted tuples."""
    x0, y0, x1, y1 = (int(v) for v in np.clip(box, 0, [prior.shape[1], prior.shape[0]] * 2))
    hull = np.zeros(prior.shape, bool)
    hull[y0:y1, x0:x1] = True
    seen: set[bytes] = set()
    kept = {}
    for i, mask in enumerate(masks):
        clipped = mask & hull
        if clipped.any() and clipped.sum() >= inside * mask.sum() and clipped.tobytes() not in seen:
            seen.add(clipped.tobytes())
            kept[i] = clipped
    near = ndimage.binary_dilation(hull, np.ones((2 * radius + 1,) * 2)) if hull.any() else hull
    hot = (prior >= 0.5 * prior.max()) & near
    contour = band(hot, radius) & near if guide == "both" else hot

    def score(chosen):
        union = np.any([kept[i] for i in chosen], axis=0)
        edge = band(union, radius) & near
        terms = []
        if guide in ("contour", "both"):
            on = (contour & edge).sum()
            terms.append(2 * on / (contour.sum() + edge.sum()) if f1 else on / contour.sum())
        if guide in ("region", "both"):
            terms.append((union & hot).sum() / (union | hot).sum())
        if guide == "box":
            terms.append(union.sum() / hull.sum())
        touched = np.concatenate([union.any(1)[y0:y1], union.any(0)[x0:x1]]).mean()
        return (np.mean(terms) + coverage * touched) / (1 + coverage)

    if not kept:
        return (), 0.0
    chosen = (max(kept, key=lambda i: (score((i,)), -i)),)
    best = score(chosen)
    while True:
        changes = [tuple(j for j in chosen if j != i) for i in chosen if len(chosen) > 1]
        changes += [(*chosen, i) for i in kept if i not in chosen]
        scored = [(score(one), -len(one), k) for k, one in enumerate(changes)]
        if not scored:
            return tuple(sorted(chosen)), best
        value = max(scored)[0]
        if value <= best + 1e-9:
            return tuple(sorted(chosen)), best
        chosen, best = (
            max(
                (c for c, s in zip(changes, scored, strict=True) if abs(s[0] - value) < 1e-9),
                key=lambda c: (-len(c), -c[-1] if len(c) > len(chosen) else 0),
            ),
            value,
        )
