"""Behind `repository.map` and `repository.similar`: reading a tree within bounds, and what is like what.

Python is looked into by its parser; of other languages the map has path and size, and their words count for
what is relevant.
"""
