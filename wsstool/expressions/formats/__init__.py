"""File formats with sentences, one per file: ``read(path) -> Expressions`` and ``write(rows, target)``."""
