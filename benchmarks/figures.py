"""What a benchmark found: printed as it comes, and kept for the table at the end of `make bench`.

Each figure stands beside its peer's from the same run, with what is to be reached and how busy the machine was.
"""

import json
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_VARIABLE = "FAIRGROUND_BENCH_FIGURES"
"""Names the file to which a run of several benchmarks adds its figures."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table."""

    name: str
    ours: str
    peer: str
    ratio: str
    reach: str
    is_reached: bool | None
    load: float

    @property
    def verdict(self) -> str:
        """Whether it reached what it should."""
        return {True: "yes", False: "NO", None: ""}[self.is_reached]


def show(
    name: str,
    *,
    ours: str,
    peer: str = "",
    ratio: float | None = None,
    value: float | None = None,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    """Print a figure and keep it.

    `value`, the ratio where it is left out, is what `at_most` and `at_least` are asked of; with neither, nothing is
    to be reached and the figure is there to be read.
    """
    asked = ratio if value is None else value
    reach = [f"≤ {at_most:g}"] if at_most is not None else []
    reach += [f"≥ {at_least:g}"] if at_least is not None else []
    is_reached = None
    if reach and asked is not None:
        is_reached = (at_most is None or asked <= at_most) and (at_least is None or asked >= at_least)
    figure = Figure(
        name=name,
        ours=ours,
        peer=peer,
        ratio="" if ratio is None else f"{ratio:.2f}",
        reach=" and ".join(reach) + (" (ratio)" if reach and value is None else ""),
        is_reached=is_reached,
        load=round(os.getloadavg()[0], 1),
    )
    line = f"  {figure.name}: {figure.ours}"
    line += f" · {figure.peer}" if figure.peer else ""
    line += f" · ratio {figure.ratio}" if figure.ratio else ""
    line += f" · to reach {figure.reach}: {figure.verdict}" if figure.reach else ""
    print(f"{line} · load {figure.load}", flush=True)
    if path := os.environ.get(FILE_VARIABLE):
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(figure)) + "\n")


def kept(path: Path) -> list[Figure]:
    """The figures in the file, in the order in which they were found."""
    return [Figure(**json.loads(line)) for line in path.read_text().splitlines()]


def table(figures: Iterable[Figure]) -> str:
    """All of them as a Markdown table whose columns line up."""
    head = ("figure", "ours", "peer", "ratio", "to reach", "reached", "load")
    rows = [(f.name, f.ours, f.peer, f.ratio, f.reach, f.verdict, f"{f.load}") for f in figures]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """The median and, in brackets, the rounds it comes from."""
    return f"{statistics.median(values):{form}} ({', '.join(f'{value:{form}}' for value in values)})"
