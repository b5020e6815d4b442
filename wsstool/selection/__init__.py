"""One mask for a box: a set of proposals that fits a map, or a shape made from the box, map or pixels alone.

Selectors: ``f(proposals, prior, box, **own) -> (indices, score)``. Fillers: ``f(size, box, ...) -> mask``.
"""
