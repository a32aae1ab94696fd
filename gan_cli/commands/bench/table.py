"""What ``gan-bench`` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.table import Table

from gan_cli.output import screen

Row = dict[str, Any]  # everything measured of a contender
Result = dict[str, Any]  # what ``--out`` holds: the machine, and a row for each contender

LINES: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("images/s", lambda row: f"{row['images_per_second']['median']:,.4g}"),
    (
        "lowest – highest",
        lambda row: f"{row['images_per_second']['low']:,.4g} – {row['images_per_second']['high']:,.4g}",
    ),
    ("ratio", lambda row: f"×{row['ratio']['median']:.2f}"),
    ("in turns side by side", lambda row: f"×{row['ratio']['low']:.2f} – {row['ratio']['high']:.2f}"),
    ("milliseconds a step", lambda row: f"{1e3 * row['seconds_per_step']:,.4g}"),
    ("GFLOP a step", lambda row: f"{row['flops_per_step'] / 1e9:,.4g}"),
    ("MFLOP an image", lambda row: f"{row['flops_per_image'] / 1e6:,.4g}"),
    ("GFLOP/s", lambda row: f"{row['flops_per_second'] / 1e9:,.4g}"),
    (
        "measured peak: matrix product",
        lambda row: f"{row['peaks']['matrix_product'] / 1e9:,.4g} GFLOP/s {row['dtype']}",
    ),
    ("measured peak: convolution", lambda row: f"{row['peaks']['convolution'] / 1e9:,.4g} GFLOP/s {row['dtype']}"),
    ("share of the better peak", lambda row: f"{row['share_of_peak']:.1%}"),
    ("MB moved a step, uncached", lambda row: f"{row['bytes_per_step'] / 1e6:,.4g}"),
    ("share of the copying speed", lambda row: f"{row['share_of_copy']:.1%}"),
    ("share waiting for data", lambda row: f"{row['share_waiting_for_data']:.2%}"),
    ("peak memory, MiB", lambda row: "" if row["peak_memory"] is None else f"{row['peak_memory'] / 2**20:,.0f}"),
)


def show(result: Result) -> None:
    """Prints a column for each variant and the peer; ratios are to the first."""
    rows = result["rows"]
    table = Table("", *(row["name"] for row in rows), box=None)
    for title, cell in LINES:
        if len(rows) == 1 and title in ("ratio", "in turns side by side"):
            continue
        table.add_row(title, *(_cell(cell, row) for row in rows))
    console = screen.console(stderr=False)
    console.print(table)
    told = f"{machine_line(result)}, {result['repeats']} turns of {result['seconds']:g} s"
    console.print(told, markup=False, highlight=False, soft_wrap=True)


def machine_line(result: Result) -> str:
    """What it was measured with, in words."""
    torch = result["versions"]["torch"]
    return f"{result['device']} ({result['cpu']}, {result['threads']} threads of {result['cores']}), torch {torch}"


def _cell(cell: Callable[[Row], str], row: Row) -> str:
    try:
        return cell(row)
    except KeyError:  # unknown for a peer
        return ""
