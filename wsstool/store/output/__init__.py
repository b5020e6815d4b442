"""Write record files and streams: resumable, whole or not at all, cached when piped."""
