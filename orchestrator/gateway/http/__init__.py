"""The gateway over Streamable HTTP: who is let in, how much they may do, and what becomes of a broken stream."""
