"""Read record files and streams, from bytes to checked records."""
