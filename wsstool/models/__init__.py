"""Networks, and weights files with their metadata."""
