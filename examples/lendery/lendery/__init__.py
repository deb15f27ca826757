"""A small library that lends its books over HTTP."""
