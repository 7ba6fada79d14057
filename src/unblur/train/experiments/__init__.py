"""Experiments of papers, as commands: what is trained, and how it is measured."""
