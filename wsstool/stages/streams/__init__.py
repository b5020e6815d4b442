"""`info`, `check`, `cat`, `merge` and `cache`: commands for record files of any kind."""
