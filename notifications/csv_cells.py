"""Cells of CSV files that people open in a spreadsheet."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def defused(cell: str) -> str:
    """The cell as a spreadsheet shows it rather than runs it."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
