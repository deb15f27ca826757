"""One of Podium's own specialists on another machine than the crew's: one more process of that name, on the same bus.

`__main__` starts it and starts it again; `mirrors` brings it the runs' trees, which it cannot read where they lie.
"""
