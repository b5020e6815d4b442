"""Class-agnostic regions of an image, from its colours alone; a method is ``f(image, **own) -> Proposals``.

``superpixels`` and ``flat`` make partitions, ``histograms`` and ``merging`` grow a tree on one, ``rank`` puts
regions in order without labels, ``rows`` writes them as the rows of a ``Proposals``, and ``masks`` does so
for masks that another program made.
"""
