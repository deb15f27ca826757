"""Podium's entry in the configuration files of MCP hosts: where each lies, how it is edited, how it is replaced."""
