"""Referring segmentation networks: the mask of the object that a sentence names.

``build.build_referring`` builds them by name. In each, ``words`` encodes the sentences,
``linguistic_attention`` finds the words that matter at each position, ``visual_attention`` (or
``position_attention``) the regions that matter to these words; ``bcam`` is both together. ``encoder_fusion``
puts it inside the backbone, ``brinet`` behind it.

Letters: B images, S sentences, T words, E channels of a word vector, P = h w positions, D ``width``.
"""
