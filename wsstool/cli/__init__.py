"""The command line: typer and rich, nothing else. One file per command."""
