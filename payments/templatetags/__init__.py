"""Template tags of the payments app."""
