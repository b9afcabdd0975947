"""Cells of CSV files that people open in a spreadsheet."""

# Full-width signs too: spreadsheets in East Asian settings take them for the plain ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def defused(cell: str) -> str:
    """The cell as a spreadsheet shows it rather than runs it; spaces before a formula don't hide it."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA_STARTS) else cell
