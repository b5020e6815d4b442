"""Options of the commands that write a data folder."""
