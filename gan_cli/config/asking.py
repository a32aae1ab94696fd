"""Calls parts of the user's own; a missing method or an exception becomes an error message of one line. Torch-free.

The message names the part as it is chosen (``loss=mine``), what it did, and what it should do. The part's own trace is
kept as the cause of the error, and shown with ``HYDRA_FULL_ERROR=1``.
"""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli.errors import UserError
from gan_cli.memory import shortage

NOT_OWN = (str(Path(__file__).resolve().parents[1]), "<", *set(sysconfig.get_paths().values()))


def is_own(part: object) -> bool:
    """Whether a part is the user's, not this package's."""
    cls = part if isinstance(part, type) else type(part)
    return cls.__module__.partition(".")[0] != "gan_cli"


def method(part: object, who: str, name: str, wanted: str, *arguments: object) -> Callable[..., object]:
    """The method ``name`` of a part, after a check that it can be called with these arguments.

    Args:
        who: the part, such as ``loss=mine``.
        wanted: its parameters, such as ``real_logits, fake_logits``.

    Raises:
        UserError: if there is none, or it takes other arguments.
    """
    found = getattr(part, name, None)
    if not callable(found):
        raise UserError(f"{who}: has no {name}({wanted}): write it, as gan-train --help extending says")
    try:
        inspect.signature(found).bind(*arguments)
    except TypeError as error:
        raise UserError(f"{who}: {name}() must take ({wanted}), and does not ({error})") from error
    except ValueError:  # written in C, without a signature
        pass
    return found


@contextmanager
def asked(who: str) -> Iterator[None]:
    """A context in which errors, of a part or of torch on its behalf, become a UserError of one line.

    Args:
        who: the part and the call, such as ``loss=mine: generator()``.

    Raises:
        UserError: in place of any other error, except lack of memory.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if shortage(error) is not None:
            raise
        raise UserError(f"{who} failed: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The type and message of an error and, if it comes from a user's file, the place: ``… (mine.py, line 12)``."""
    words = " ".join(str(error).split())
    told = f"{type(error).__name__}: {words if len(words) <= 300 else f'{words[:300]}…'}".removesuffix(": ")
    own = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(NOT_OWN)]
    return f"{told} ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else told


def kind(value: object) -> str:
    """A description of a value: ``float32 (8, 25)``, ``a tuple``, ``nothing``."""
    if value is None:
        return "nothing"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
