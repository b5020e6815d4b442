"""Pretrained weights by name: what there is, where a file lies, and how to get it when asked."""
