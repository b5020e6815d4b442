"""Write record files and streams: resumable, atomic, cached in pipes."""
