"""Methods that fill a box without proposals."""
