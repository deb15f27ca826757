"""Who decides: the loop, its journal, gates, state and metrics.

It finds specialists in the registry and calls them over the bus; it imports none of them.
"""
