"""The program of each process that decodes pictures for another one. Torch-free, so that it starts at once."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from typing import Any

from gan_cli.data.contents import Unreadable
from gan_cli.data.formats import Decoded, Unranged
from gan_cli.data.opening import ROOM, NoRoom
from gan_cli.data.recipe import Recipe

READY = "ready"


def main() -> None:
    """Reads a recipe, then pieces, until the pipe is closed; answers each with what was found, in order."""
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a decoder prints is no answer
    warnings.simplefilter("ignore")  # of the decoder; what it cannot read is named
    try:
        recipe, helpers = pickle.load(asked)
        ROOM.share(helpers)
        answer: object = READY
        while True:
            pickle.dump(answer, told, pickle.HIGHEST_PROTOCOL)
            told.flush()
            try:
                answer = [_found(recipe, *entry) for entry in pickle.load(asked)]
            except Unranged as error:
                answer = error
    except (EOFError, OSError, KeyboardInterrupt, ImportError, AttributeError):
        os._exit(0)  # the one that asks has ended, or sends what only it knows


def _found(recipe: Recipe, index: int, item: Any) -> Decoded | Unreadable | NoRoom:
    try:
        return recipe.decode(index, item)
    except NoRoom as error:
        return error
