"""Puts any MCP server on the bus: a process of its own on stdio, or one behind a URL; of either era."""
