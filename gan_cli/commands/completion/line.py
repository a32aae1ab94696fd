"""A command line as far as it is typed, as shells split it."""

from __future__ import annotations

import re
from dataclasses import dataclass

SPECIAL = re.compile(r"([\s\\'\"()&;<>|`$*?!#{}])")  # what a shell does not take as it is; [ ] and ~ are left


@dataclass(frozen=True)
class Line:
    """The words of a command before the cursor.

    Attributes:
        words: between the program and the word at the cursor, without quotes.
        current: the word at the cursor, without quotes.
        raw: that word as it is typed.
    """

    program: str
    words: list[str]
    current: str
    raw: str

    @classmethod
    def parse(cls, text: str) -> Line:
        raw, plain, quote = [""], [""], ""
        escaped = False
        for character in text:
            if not quote and not escaped and character.isspace():
                if raw[-1]:
                    raw.append("")
                    plain.append("")
                continue
            raw[-1] += character
            if escaped:
                plain[-1] += character
                escaped = False
            elif character == "\\" and quote != "'":
                escaped = True
            elif character == quote:
                quote = ""
            elif character in "'\"" and not quote:
                quote = character
            else:
                plain[-1] += character
        program = plain[0].rpartition("/")[2]
        return cls(program, plain[1:-1], plain[-1] if len(plain) > 1 else "", raw[-1] if len(plain) > 1 else "")

    def shown(self, candidate: str, word_breaks: str) -> str:
        """A candidate as the shell takes it: escaped, or in the quotes that are open, from its last word break on."""
        quote = self.raw[:1] if self.raw[:1] in ("'", '"') else ""
        text = quote + candidate if quote else SPECIAL.sub(r"\\\1", candidate)
        last = max((self.raw.rfind(one) for one in word_breaks if one not in "\"'"), default=-1)
        if quote or last < 0:
            return text[1:] if quote and word_breaks else text
        return text[last + 1 :]
