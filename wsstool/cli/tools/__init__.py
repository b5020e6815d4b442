"""Commands for files, data exchange, reports, and the program itself."""
