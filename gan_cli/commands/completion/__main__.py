"""``python -m gan_cli.commands.completion SHELL LINE [WORD_BREAKS]``: what the last word of a line can become."""

from __future__ import annotations

import sys

from gan_cli.commands.completion.candidates import candidates
from gan_cli.commands.completion.line import Line


def main(shell: str, text: str, word_breaks: str = "") -> None:
    """Prints a candidate a line; for bash without what it does not replace."""
    line = Line.parse(text)
    for candidate in sorted(set(candidates(line.program, line.words, line.current))):
        print(candidate if shell == "fish" else line.shown(candidate, word_breaks))  # fish escapes it itself


if __name__ == "__main__":
    main(*sys.argv[1:4])
