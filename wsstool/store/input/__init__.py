"""Read record files and streams, from bytes to validated records."""
