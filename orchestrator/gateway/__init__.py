"""The gateway: what an MCP host sees of the crew, and the way its requests take over the bus."""
