"""One mask per box: a set of proposals that fits a map, or a shape from the box, the map or the pixels.

Selectors: ``f(proposals, prior, box, **own) -> (indices, score)``. Fillers: ``f(size, box, ...) -> mask``.
"""
