"""The commands around the pipeline: files, data exchange, reports, and the program itself."""
