"""Sentences that name objects of images: words, vocabularies, and the file formats that hold them.

``Expression`` is one object with its sentences. ``formats`` has one file format per file, each with ``read``
and ``write``; ``recognise`` picks the format of a file and finds the file of a folder.
"""
