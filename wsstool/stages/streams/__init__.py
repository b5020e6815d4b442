"""`info`, `check`, `cat`, `merge` and `cache`: any record file, whatever it holds."""
