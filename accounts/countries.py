"""Countries by their ISO 3166 code: the table that comes with the time zones."""

from functools import cache
from importlib import resources


@cache
def countries() -> list[tuple[str, str]]:
    """(code, English name), by name."""
    table = (resources.files("tzdata.zoneinfo") / "iso3166.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return sorted(((code, name) for code, name in rows), key=lambda row: row[1])
