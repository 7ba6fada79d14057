"""What unblur reaches and costs, beside the figures of others: `python -m benchmarks [NAME...]`."""
