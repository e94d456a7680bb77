"""A stored experiment again: today's parameters or another model on stored frames, on Dask."""
