"""The options of the commands, each declared once; no torch on import."""
