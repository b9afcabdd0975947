"""Wiring of the site: settings, addresses, entry points, schedule, roles, embedded servers."""
