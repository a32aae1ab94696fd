"""The syntax of arithmetic, and of directions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gan_cli.config.numbers import MOST, numbers


@dataclass(frozen=True)
class Term:
    """``sign`` (+1 or −1) times the average over ``seeds``."""

    sign: int
    seeds: list[int]


def terms(text: str) -> list[Term]:
    """``"(1,2)-4+7"`` → the terms +(1, 2), −(4), +(7).

    Raises:
        ValueError: if it is not a sum of seeds.
    """
    term = r"(\d+|\([^()]*\))"
    compact = re.sub(r"\s+", "", text)
    if not re.fullmatch(rf"{term}([+-]{term})+", compact):
        raise ValueError("must be sums and differences of seeds, such as 12-7+31 or (1,2,3)-(4,5,6)+(7,8,9)")
    found, total = [], 0
    for sign, seeds in re.findall(rf"([+-]?){term}", compact):
        found.append(Term(-1 if sign == "-" else 1, numbers(seeds.strip("()"))))
        total += len(found[-1].seeds)
        if total > MOST:
            raise ValueError(f"are more than {MOST:,} numbers: take them in parts")
    return found


def direction(text: str) -> int | None:
    """``"5"`` → 5, the number of directions; None if it names classes: ``cat``, ``dog:cat``, ``all:cat``.

    Raises:
        ValueError: if it is a number of none.
    """
    if not re.fullmatch(r"\s*\d{1,18}\s*", text):
        return None
    if not 1 <= (number := int(text)) <= MOST:
        raise ValueError("must be at least 1" if number < 1 else f"must be at most {MOST:,}")
    return number
