"""The trainers: `train-cls`, `train-contour` and `cotrain` read data and write weights."""
