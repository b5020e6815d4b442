"""One TOML a published system or preset: option defaults, nothing that --help does not show."""
