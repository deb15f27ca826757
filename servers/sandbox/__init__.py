"""Runs one untrusted program at a time per job: confined, limited, and without survivors.

`client` is what a specialist uses (`start_keeper`, `KeptSandbox`). `keeper` is a small separate
process that outlives nobody; it forks one `warden` per job. Everything on the keeper's side is the
standard library only, so that it starts in milliseconds and forks cheaply.
"""
