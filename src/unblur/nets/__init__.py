"""Networks: one file an architecture, each a plain module that takes pictures of any size."""
