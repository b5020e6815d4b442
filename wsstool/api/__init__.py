"""The Python interface: stages as functions, record files by image name, methods on arrays in memory.

``wsstool/__init__.py`` lists the public names.
"""
