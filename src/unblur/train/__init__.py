"""Training: what a batch is, where batches come from, what is minimised, and what a run leaves.

The packages of the extra "train" are needed by everything here but `batch`, `losses` and `sources`.
"""
