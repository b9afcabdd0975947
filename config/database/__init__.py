"""The database backend of the web process: Django's own, with a pool that comes round at once after a cut."""
