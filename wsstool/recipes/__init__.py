"""One TOML file per published system or preset; each only sets defaults of options listed in --help."""
