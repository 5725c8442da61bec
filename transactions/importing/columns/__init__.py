"""Columns: how the cells of one are read, and the proof by the whole column that they are to be read so."""
