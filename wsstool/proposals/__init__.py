"""Class-agnostic regions of an image, from its colours alone; a method is ``f(image, **own) -> Proposals``.

``superpixels`` and ``flat`` compute partitions, ``histograms`` and ``merging`` build a tree on one, ``trees``
joins the regions of several, ``rank`` sorts regions without labels, ``limit`` drops rows that do not fit, and
``masks`` converts the masks of other programs.
"""
