"""How dates are written where a page names no format of its own: as everywhere else on the site."""
