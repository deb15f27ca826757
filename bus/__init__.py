"""How it is said and kept: NATS, MCP over NATS, identities, registry and ledger.

`Bus` is the seam: `NatsBus` speaks to a real server, `MemoryBus` is its in-memory double with the
same behaviour. Everything else here is built on the seam and knows neither.
"""
