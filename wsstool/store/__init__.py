"""The record store: the only place that knows HDF5."""
