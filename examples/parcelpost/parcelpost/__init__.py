"""Quotes for sending parcels: what a shipment costs, and why."""
