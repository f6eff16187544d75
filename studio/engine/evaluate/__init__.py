"""An evaluation as a run: rows chosen, models asked (one process a base), answers kept row by row, scored, reported."""
