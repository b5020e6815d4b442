"""Train networks that read sentences: ``train-contour`` and ``cotrain`` with ``--arch bcam-...``."""
