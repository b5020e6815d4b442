"""`methods`, `doctor` and `sample`: the program itself, and a dataset to try it on."""
