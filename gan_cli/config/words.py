"""Other programs' words for keys and options, and what they are called here: see ``words.yaml``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

from gan_cli.config.flags import groups, shipped
from gan_cli.config.numbers import finite
from gan_cli.config.paths import says_folder
from gan_cli.config.pictures import PICTURES

EPOCHS = frozenset(("epoch", "epochs", "n_epochs", "n_epoch", "num_epochs", "max_epochs", "nb_epochs"))
KIMG = frozenset(("kimg", "total_kimg", "max_kimg", "n_kimg"))
LENGTHS = EPOCHS | KIMG  # of a run: what they are here follows from its minibatches
NAMED = {"dataset=image_folder dataset.path={value}": "dataset", "prior.size={value}": "prior"}  # where it is an option


@cache
def _answers(*path: str) -> dict[str, str]:
    """Their word → what to type, of keys, or of the options of a group."""
    node = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
    for part in path:
        node = node.get(part, {})
    return {word: answer for answer, theirs in node.items() for word in theirs.split()}


def told(answer: str) -> str:
    """An answer, to follow the words that something does not exist."""
    return f": it{answer}" if answer.startswith(" ") else f": here it is {answer}"


def plain(word: str) -> str:
    """``--Batch-Size`` → ``batch_size``."""
    return word.lstrip("-+").lower().replace("-", "_")


def key_here(key: str, value: str) -> str | None:
    """What to type for ``key=value`` in another program's words; None if it is not known."""
    answer = _answers("keys").get(plain(key))
    if plain(key) in ("gpu", "ngpu") and value.isdigit():
        answer = "device=cuda:{value}" if plain(key) == "gpu" else "devices={value}"
    if answer and answer.startswith("ema_") and value.lower() in ("false", "0", "none"):
        return "ema_half_life=0"
    if answer and answer.startswith("device=cuda") and value.lower() in ("false", "no", "off", "none"):
        return "device=cpu"
    if answer and value.lower() in ("false", "no", "off") and "{value}" not in answer:
        return None  # what they turn off is off
    if answer and (match := re.fullmatch(r"(\w+)=\{value\}", answer)) and (names := shipped(match[1])):
        return option_here(match[1], value, names) or answer.format(value=value)  # a word of theirs for an option too
    if answer and (group := NAMED.get(answer)) and any(_same(option, value) for option in shipped(group)):
        return f"{group}={plain(value)}"
    return answer.format(value=value) if answer else None


def of_bare_word(word: str) -> str | None:
    """What to type for a word that stands alone: an option, or the name of what a program does."""
    return _answers("bare").get(plain(word)) or " or ".join(options_named(word)) or None


def options_named(word: str) -> list[str]:
    """The options that are called so, or else so in another program's words: ``ring``, ``wgan-gp``, ``fid``."""
    every = [group for group in groups() if group != "sweep"]
    same = [f"{group}={name}" for group in every for name in shipped(group) if _same(name, word)]
    theirs = (_answers("options", group).get(plain(word)) for group in reversed(every))
    return same or [answer for answer in theirs if answer is not None][:1]


def _same(option: str, word: str) -> bool:
    return option.replace("_", "") == plain(word).replace("_", "")


def epochs_here(epochs: str, pictures: int | None, batch_size: int) -> str:
    """What to type for so many passes through the data."""
    if not re.fullmatch(r"\d+(\.\d+)?", epochs):
        return "steps=…"
    if pictures is None:
        return f"steps=…, {epochs} times the number of pictures divided by batch_size={batch_size}"
    return f"steps={max(1, round(float(epochs) * pictures / batch_size))}"


def in_images_here(key: str, value: str, batch_size: int) -> str | None:
    """What to type for a length in thousands of pictures, or for the decay of an average by steps; None of others."""
    word, number = plain(key), max(finite(value) or 0.0, 0.0)
    if word in KIMG:
        return f"steps={max(1, round(1000 * number / batch_size))}" if number else "steps=…"
    if word == "ema_kimg" and number:
        return f"ema_half_life={round(1000 * number)}"
    if word in ("ema", "ema_decay", "ema_beta") and 0 < number < 1:
        return f"ema_half_life={round(batch_size * math.log(0.5) / math.log(number))}"
    return None


def option_here(group: str, name: str, options: Iterable[str]) -> str | None:
    """What to type for ``group=name`` in another program's words; None if it is not known."""
    if group == "dataset" and is_path(name):
        return f"dataset=image_folder dataset.path={name}"
    if (answer := _answers("options", group).get(plain(name))) is not None:
        return answer
    same = [option for option in options if _same(option, name)]
    return f"{group}={same[0]}" if same else None


def is_path(word: str) -> bool:
    """Whether a word is a path rather than a name."""
    if word.startswith("~") and not word.startswith("~/"):  # removes a key, in Hydra's grammar
        return False
    return "/" in word or "\\" in word or word.startswith(".") or word.endswith(".zip") or says_folder(word)


def pictures_of(dataset: Mapping[str, object]) -> int | None:
    """How many pictures a dataset trains on, as far as its options tell."""
    if isinstance(count := dataset.get("points", dataset.get("stacks")), int):
        return count
    count = PICTURES.get(str(dataset.get("name")), {}).get(str(dataset.get("split")))
    limit = dataset.get("limit")
    if dataset.get("classes"):
        return None
    return min(count, limit) if count and isinstance(limit, int) and limit else count
