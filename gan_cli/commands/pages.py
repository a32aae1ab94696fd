"""The pages of the manual, ``gan_cli/docs/*.md``: README links them, and ``--help TOPIC`` prints them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

INDEX = "topics"  # the page that lists the others
WIDEST = 120  # columns: longer lines of prose are hard to follow
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def pages() -> dict[str, Path]:
    """The file of each page by its name, in the order of the alphabet."""
    return {file.stem: file for file in sorted((Path(__file__).resolve().parents[1] / "docs").glob("*.md"))}


def words_after_help(argv: Sequence[str]) -> list[str]:
    """What a command line asks about, behind ``--help``."""
    flag = next((i for i, word in enumerate(argv) if word in ("--help", "-h")), len(argv))
    return [word for word in argv[flag + 1 :] if not word.startswith("-")]


def mentioning(word: str) -> list[str]:
    """The names of the pages that hold a word, whatever its case."""
    whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    return [name for name, file in pages().items() if name != INDEX and whole.search(file.read_text(encoding="utf-8"))]


def rendered(name: str, console: Console) -> str:
    """A page as the console shows it: styled on a terminal, else plain; as wide as the console, up to ``WIDEST``."""
    from gan_cli.output.manual import THEME, Page

    page = Page(_unlinked(pages()[name].read_text(encoding="utf-8")))
    with console.use_theme(THEME), console.capture() as capture:
        console.print(page, width=min(console.width, WIDEST), crop=False)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines())
    return re.sub("\n{3,}", "\n\n", text).strip("\n")


def _unlinked(text: str) -> str:
    """The text with links as a terminal can follow them: to another page, the command that prints it."""
    prose = text.split("```")
    prose[::2] = [LINK.sub(_words, part) for part in prose[::2]]
    return "```".join(prose)


def _words(link: re.Match[str]) -> str:
    words, target = link.groups()
    page = target.removesuffix(".md")
    if target.startswith("https://"):
        return f"{words} ({target})"
    if page not in pages():
        path = target.removeprefix("../../").replace("../", "gan_cli/")
        return words if path in words else f"{words} (`{path}`)"
    return f"`--help {page}`" if words == page else f"{words} (`gan-train --help {page}`)"
