"""Files in, files out: one plain function a command; the only place where families meet."""
