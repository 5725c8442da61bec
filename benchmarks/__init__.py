"""`make bench`: how fast we are, beside what else one could have written, all in one run.

Each module is a part (`single`, `batch`, …) or what the parts share. `baselines` holds the
contestants, as small as they can be. Timings are printed, never asserted; only the books are.
"""
