"""What is said: the pydantic models every other room speaks in.

Nothing here performs I/O or imports another Podium package. Each specialist has one module
(`contracts/<server>.py`) with a `…Params` and a `…Result` per tool; MCP schemas are generated
from them.
"""
