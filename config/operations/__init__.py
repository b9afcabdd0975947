"""How the site watches itself: what it measures, what it calls wrong, whom it tells."""
