"""`methods`, `doctor` and `sample`: the program itself, and a data set to try it on."""
