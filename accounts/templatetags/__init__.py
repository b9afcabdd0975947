"""Filters of templates about people and their clocks."""
