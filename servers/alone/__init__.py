"""One of Podium's own specialists without crew or broker, for any MCP host, on standard input and output.

Two processes: `__main__` reads the person's checkout and makes snapshots of it, as nobody else may; `member` is the
specialist, confined as in a house, which sees the snapshots only. They talk over one socket.
"""
