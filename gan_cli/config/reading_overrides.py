"""Reads overrides: parsed once by Hydra's own parser, and rewritten so that Hydra reads what was meant."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from gan_cli.config.flags import SEVERAL
from gan_cli.config.interpolations import refusal
from gan_cli.config.library import Library
from gan_cli.config.overrides import MOST, PLAIN_GAME, Override, Overrides, key_of
from gan_cli.config.paths import says_folder
from gan_cli.config.quoting import as_options, as_text, parser
from gan_cli.config.texts import is_text
from gan_cli.config.words import is_path, of_bare_word
from gan_cli.errors import UserError
from gan_cli.output.text import shortened

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override as Parsed

OF_A_SWEEP = ("name", "resume", "dry_run", "sweep")  # keys with one value for the whole sweep
LONGEST, DEEPEST = 20_000, 30  # characters of an override, and brackets within brackets: more takes the parser too long
NAMING_CODE = ("hydra.callbacks", "hydra.job_logging", "hydra.hydra_logging")


def read(words: Sequence[str], library: Library, *, root: type[BaseModel], several: bool = False) -> Overrides:
    """Parses the words of a command.

    Args:
        library: the groups and their options.
        root: the keys of the command that are not groups.
        several: whether a key may have several values, for a sweep.
    """
    found: list[Override] = []
    problems: list[str] = []
    unread: list[str] = []
    for word in words:
        try:
            found.append(_one(word, library, several, root))
        except UserError as error:
            problems += error.problems
            unread += [key_of(word)] if "=" in word else re.findall(r" ([\w.]+)=", error.problems[0])
    keys = {override.key for override in found}
    if "model" in keys and "experiment" not in keys and "resume" in root.model_fields:
        found.append(PLAIN_GAME)
    elif {"model", "experiment"} <= keys and "resume" in root.model_fields:
        problems += _laid_over(found)
    return Overrides(tuple(found), tuple(problems), tuple(unread))


def _laid_over(found: Sequence[Override]) -> list[str]:
    """A line where the preset of the default run is chosen together with another model."""
    values = {override.key: override.values for override in found}
    others = [model for model in values["model"] if model != "gan"]
    if "default" not in values["experiment"] or not others:
        return []
    return [f"experiment=default: is of the game model=gan, not of model={others[0]}: leave it out"]


def _one(word: str, library: Library, several: bool, root: type[BaseModel]) -> Override:
    """Parses one override; raises UserError, with one line, if it is not valid."""
    typed_key, equals, raw = word.partition("=")
    key = key_of(word)
    _require_readable(word, key)
    is_group = key in library.groups()
    written = word
    if equals and is_text(key, root):
        written = f"{typed_key}={as_text(key, raw, several)}"
    elif equals and is_group:
        written = f"{typed_key}={as_options(raw)}"
    if not equals and (answer := _of_bare_word(word, root)):
        raise UserError(f"{word}: overrides are written key=value: {answer}")
    parsed = _parsed(word, written, library)
    name = parsed.key_or_group
    if parsed.is_delete():
        raise UserError(f"{word}: every key is needed and cannot be removed")
    if parsed.package is not None:
        raise UserError(f"{word}: every option has its place: {name}={raw}")
    if key in ("hydra.searchpath", "hydra.mode"):
        flag = {"hydra.searchpath": "--config-dir FOLDER", "hydra.mode": "--multirun, or nothing,"}[key]
        raise UserError(f"{word}: use {flag} instead")
    if "/" in typed_key and not all(each is None or isinstance(each, str) for each in _names(parsed._value)):
        raise UserError(f"{word}: names an option of {name}: a name is text, such as {name}=default")
    text = written.lstrip("+")
    if not parsed.is_sweep_override():
        return Override(key, text, [parsed.value()], [text], word, is_group)
    if key.startswith("hydra."):
        raise UserError(f"{word}: is the same for all runs: give one value, or quote it: '{name}=\"…\"'")
    if not several:
        unknown = _unknown(key, parsed._value, library) if is_group else []
        raise UserError(f"{word}: several values make a sweep: {_instead(name, raw, is_group)}", *unknown)
    if key in OF_A_SWEEP:
        raise UserError(f"{word}: is the same for all runs of a sweep: give one")
    return _swept(word, written, parsed, library, is_group)


def _swept(word: str, written: str, parsed: Parsed, library: Library, is_group: bool) -> Override:
    """One override with several values; raises UserError, with one line, if it has none, or no end."""
    from hydra.core.override_parser.types import IntervalSweep, RangeSweep
    from hydra.core.override_parser.types import Override as Hydras

    key, name, text, found = key_of(word), parsed.key_or_group, written.lstrip("+"), parsed.value()
    if isinstance(found, IntervalSweep):
        ends = [found.start, found.end]
        return Override(key, text, ends, [f"{name}={end}" for end in ends], word, is_group, continuous=True)
    if isinstance(found, RangeSweep):
        count, last = _extent(word, found)
        if count > MOST:
            ends = [found.start, last]
            return Override(key, text, ends, [f"{name}={end}" for end in ends], word, is_group, continuous=True)
    if parsed.value_type is not None and parsed.value_type.name == "GLOB_CHOICE_SWEEP":
        if not is_group:
            raise UserError(f"{word}: glob(…) chooses among options of a group: list the values: {name}=a,b")
        written = f"{word.partition('=')[0]}={','.join(parsed.sweep_string_iterator())}"
        text = written.lstrip("+")
        if written.endswith("="):
            raise UserError(f"{word}: fits no option; available: {', '.join(library.options(key))}")
        parsed = _parsed(word, written, library)
        if not parsed.is_sweep_override():
            return Override(key, text, [parsed.value()], [text], word, is_group)
    texts = [f"{name}={value}" for value in parsed.sweep_string_iterator()]
    values = [Hydras._convert_value(value) for value in parsed.sweep_iterator(lambda element: element)]
    return Override(key, text, values, texts, word, is_group)


def _of_bare_word(word: str, root: type[BaseModel]) -> str | None:
    """What a word that is ``latest``, a path, an option or a command may have been meant to be; None of others."""
    if word != "latest" and not is_path(word):
        return of_bare_word(word)
    if "checkpoint" in root.model_fields:
        return f"checkpoint={word}"
    of_run = word == "latest" or says_folder(f"{word}/checkpoints") or word.endswith(".pt")
    return f"resume={word}" if of_run else f"dataset=image_folder dataset.path={word}"


def _holds_sweep(value: object) -> bool:
    """Whether a list, a group of keys or a choice holds a sweep."""
    from hydra.core.override_parser.types import ChoiceSweep, Glob, Sweep

    if isinstance(value, ChoiceSweep):
        value = value.list
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(each, Sweep | Glob) or _holds_sweep(each) for each in inner)


def _parsed(word: str, written: str, library: Library) -> Parsed:
    """Hydra's own reading of an override."""
    from hydra.errors import HydraException

    try:
        parsed = parser().parse_override(written)
    except (HydraException, ValueError, RecursionError) as error:  # ValueError: of a number of thousands of digits
        key, equals, _ = word.partition("=")
        if not equals:
            raise UserError(f"{word}: overrides are written key=value, such as steps=1000") from error
        raise UserError(f"{word}: cannot be read: quote a value with special characters: '{key}=\"…\"'") from error
    if _holds_sweep(parsed._value):
        raise UserError(f"{word}: a range or choice of values stands alone, not within others")
    parsed.config_loader = library  # lists the options for glob(…)
    return parsed


def _names(value: Any) -> list[Any]:
    from hydra.core.override_parser.types import Glob, QuotedString, Sweep

    found = value if isinstance(value, list) else [] if isinstance(value, Sweep | Glob) else [value]
    return [each.text if isinstance(each, QuotedString) else each for each in found]


def _require_readable(word: str, key: str) -> None:
    """Refuses what the parser cannot read or takes minutes for, and what may not be looked up or named.

    Raises:
        UserError: saying so in a line.
    """
    if problem := _unreadable(word, key):
        raise UserError(f"{shortened(word, 80)}: {problem}")


def _unreadable(word: str, key: str) -> str | None:
    try:
        word.encode(errors="surrogateescape").decode()  # in a locale of ASCII, bytes arrive one by one
    except UnicodeError:
        return "is not UTF-8: give another name to what is called so, or a link to it"
    if "=" in word and not all(key.split(".")):
        return "overrides are written key=value, such as steps=1000"
    if len(word) > LONGEST:
        return f"has {len(word):,} characters: {LONGEST:,} at most"
    depth = deepest = 0
    for character in word:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        return f"has {deepest} brackets within brackets: {DEEPEST} at most"
    if wrong := refusal(key, word):
        return wrong
    if key.startswith("hydra.") and ("_target_" in word or f"{key}.".startswith(tuple(f"{k}." for k in NAMING_CODE))):
        return "names code to run: leave it out"
    return None


def _extent(word: str, found: Any) -> tuple[int, float]:
    """How many numbers a ``range(…)`` has, and the last of them.

    Raises:
        UserError: if it has none, or no end.
    """
    start, stop, step = found.start, found.stop, found.step
    try:
        count = math.ceil((stop - start) / step)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise UserError(f"{word}: has no end: range(from,to,step) takes steps to a number") from error
    if count < 1:
        raise UserError(f"{word}: has no values: range(from,to,step) takes steps from one number to another")
    return count, start + (count - 1) * step


def _unknown(group: str, value: object, library: Library) -> list[str]:
    """A line for each option that a list of values names and that is not there."""
    from hydra.core.override_parser.types import ChoiceSweep

    lines: list[str] = []
    each = value.list if isinstance(value, ChoiceSweep) else []
    for name in [name for some in each for name in _names(some)]:
        try:
            library.file(group, str(name))
        except UserError as error:
            lines += error.problems
    return lines


def _instead(name: str, raw: str, is_group: bool) -> str:
    if name in SEVERAL:
        return f"add --multirun, or choose them together: {name}=[{raw}]"
    return "add --multirun" if is_group else f"add --multirun, or quote the value: '{name}=\"…\"'"
