"""Power cuts, and what of the ledger is there afterwards: `python -m tests.powercut`."""
