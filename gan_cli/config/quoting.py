"""Values of Hydra's grammar: text that it reads back as it is, names of options, and folder names made of overrides."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from typing import Any

from gan_cli.config.paths import expanded
from gan_cli.errors import UserError

HYDRA_PATHS = ("hydra.run.dir", "hydra.sweep.dir")
OF_RUNS = ("resume", "start", "checkpoint", "real", "samples", "project", "latents", "out")
PATHS = (*OF_RUNS, "dataset.path", "dataset.root", "extractor.root", "extractor.weights", *HYDRA_PATHS)
FUNCTIONS = r"(glob|range|sort|shuffle|tag|interval|str|int|float|bool)\(.*\)"  # of Hydra's grammar
LONGEST = 255  # bytes in a file's name


def quoted(text: str) -> str:
    """Text as one value of Hydra's grammar."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


@cache
def parser() -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()


def _element(text: str) -> Any:
    """What Hydra takes a value for; None if it is null or cannot be read."""
    from hydra.errors import HydraException

    try:
        return parser().parse_override(f"key={text}")._value
    except (HydraException, ValueError):  # ValueError: of a number of thousands of digits
        return None


def as_text(key: str, raw: str, several: bool) -> str:
    """The value of a text key, whatever characters it is made of; in a sweep, values between commas.

    Commas of a path that is there are its own.
    """
    path = key in PATHS
    if not several or key.startswith("hydra."):
        return _literal(raw, key, as_is=path)
    if re.fullmatch(FUNCTIONS, raw):
        return raw
    listed = re.fullmatch(r"choice\((.*)\)", raw)
    pieces, values = _pieces(listed[1] if listed else raw), []
    while pieces:
        there = [n for n in range(len(pieces), 1, -1) if path and _exists(",".join(pieces[:n]))]
        some = pieces[: there[0] if there else 1]
        values.append(_literal(",".join(some).strip(), key, as_is=bool(there)))
        pieces = pieces[len(some) :]
    return ",".join(values)


def _exists(path: str) -> bool:
    return os.path.exists(os.path.expanduser(path))  # noqa: PTH110, PTH111 - these never raise


def _literal(text: str, key: str, *, as_is: bool = False) -> str:
    """One text as Hydra reads it back; users may have quoted it, and need not.

    Args:
        key: of a path, in which ``~`` is somebody's home, or of other text.
        as_is: whether a backslash is one.

    Raises:
        UserError: if it is no path, and the key is that of one.
    """
    from hydra.core.override_parser.types import QuotedString

    if key in PATHS and not text.strip("'\" "):
        raise UserError(f"{key}={text}: is empty: write a path, or . for the current folder, or leave {key}= out")
    if text in ("", "null"):
        return text
    found = _element(text)
    bare = found.text if isinstance(found, QuotedString) else found if isinstance(found, str) and not as_is else text
    if key in PATHS and bare.startswith("~"):
        slash = "/" if bare.endswith("/") else ""  # which says that it is to be a folder
        bare = f"{expanded(bare, f'{key}=')}{slash}"
    return bare if isinstance(found := _element(bare), str) and found == bare else quoted(bare)


def _pieces(text: str) -> list[str]:
    """The parts of a text between commas, but for commas in quotes and in brackets, as far as those are closed."""
    parts = [text]
    for opening, quotes in (("([{", "'\""), ("", "'\""), ("", "")):
        parts, depth, quote = [""], 0, ""
        for i, character in enumerate(text):
            if character == "," and not depth and not quote:
                if text[i - 1 : i] == "\\":
                    parts[-1] = parts[-1][:-1] + ","
                else:
                    parts.append("")
                continue
            if quote:
                quote = "" if character == quote and text[i - 1] != "\\" else quote
            elif character in quotes and not parts[-1].strip():
                quote = character
            elif character in opening:
                depth += 1
            elif character in ")]}" and depth:
                depth -= 1
            parts[-1] += character
        if not depth and not quote:
            break
    return parts


def as_options(raw: str) -> str:
    """Names of options, which may look like numbers: ``[r1,64]`` → ``[r1,'64']``."""

    def named(match: re.Match[str]) -> str:
        return match[0] if match[0] == "null" or isinstance(_element(match[0]), str) else quoted(match[0])

    return re.sub(r"(?<![\w.'\"\\-])[^\s,\[\]()'\"=:{}\\]+(?=\s*(?:[,\])]|$))", named, raw)


def folder_name(overrides: str, number: Any) -> str:
    """Overrides as a folder name that every file system takes, different for different ones; else the job's number."""
    name = re.sub(r"[^\w.,+=-]+", "-", str(overrides)).strip(".-")
    if len(name) > 150 or len(name.encode()) > LONGEST or name != overrides:
        digest = hashlib.blake2b(str(overrides).encode(errors="surrogateescape"), digest_size=4).hexdigest()
        beginning = name[:130].encode()[: LONGEST - len(digest) - 1].decode(errors="ignore")
        name = f"{beginning}-{digest}" if name else ""
    return name or str(number)
