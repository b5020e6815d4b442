"""Options of the trainers: ``train-cls``, ``train-contour`` and ``cotrain``."""
