"""Registries with a file of their own; ``wsstool.registry`` has all of them."""
