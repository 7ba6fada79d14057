"""Photographs by name: what to do is a `Job`, and `run` does it or leaves everything as it was.

`job` and `plan` are light, so that the command line checks its arguments before it loads PyTorch.
"""
