"""Queries of the read API, each on top of the warehouse's views: one a file."""
