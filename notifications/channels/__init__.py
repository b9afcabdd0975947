"""Channels to the outside world: one file each, none knows the ORM."""
