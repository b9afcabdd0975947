"""Template filters of the letters."""
