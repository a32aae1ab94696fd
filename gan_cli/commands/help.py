"""What ``--help`` and ``--info`` print."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from textwrap import fill

from gan_cli.commands.comments import below, filled, lines_giving, whole_file
from gan_cli.commands.pages import INDEX, mentioning, pages, rendered
from gan_cli.config.flags import SEVERAL
from gan_cli.config.interpolations import REFERENCE
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.mistakes import suggestion
from gan_cli.config.options import GROUPS
from gan_cli.config.root import Root
from gan_cli.config.typed import known_keys
from gan_cli.config.words import LENGTHS, key_here, options_named, plain, told
from gan_cli.errors import UserError
from gan_cli.output.screen import console

KEYS = "keys"  # as a topic: all of them
DEFAULT = "default"  # the preset of a run that names none
HELP = """\
gan-train: train generative adversarial networks

  gan-train                                  a DCGAN on the digits that ship
  gan-train steps=10000 batch_size=128       any key can be set
  gan-train loss=minimax dataset=mnist       any group can be chosen
  gan-train experiment=pictures dataset.path=~/pictures
                                             a folder or zip: --help pictures
  gan-train experiment=ring                  a preset; points in the plane
  gan-train discriminator.steps=5 discriminator.lr=4e-4
  gan-train resume=latest steps=20000        go on where a run stopped
  gan-train start=RUN dataset.size=64        a new run, another's weights
  gan-train -m loss=minimax,non_saturating seed=0,1,2
  gan-train -m sweep=loss_comparison         every loss, five seeds
  gan-train metrics=frechet watch=frechet    keep the best checkpoint
  gan-train dry_run=true                     check everything, write nothing

Beside it: gan-eval checkpoint=latest, gan-sample checkpoint=latest,
gan-report outputs, gan-bench; each has its --help.

Options
{groups}
Flags
  --help topics         the manual by topic: pictures, resume, metrics, speed …
  --help loss           the options of a group; --help hinge: one of them
  --help batch_size     a key, with what it trades; also optimizer.lr, …
  --help keys           every key of a run that is in no group
  --cfg job             print the composed config and stop
                        (--resolve: with references resolved)
  -m, --multirun        one run for each combination of values
  -cd, --config-dir D   add your own options: D/GROUP/NAME.yaml
  --info                versions, devices, folders
  --version, --help     this program's version; this text
  -sc install=bash      shell completion, also zsh and fish:
                        eval "$(gan-train -sc install=bash)"

The options and keys are files: {conf}
"""


def help_text(library: Library, *words: str, keys: str = "config.yaml") -> str:
    """The overview, or what some groups, options, keys and topics are for.

    Args:
        keys: the file in ``conf`` that holds the keys of the command.

    Raises:
        UserError: with one line for each word that is none of them.
    """
    if words:
        answers = [about(library, word, keys) for word in words]
        if unknown := [_unknown(library, word) for word, answer in zip(words, answers, strict=True) if not answer]:
            raise UserError(*unknown)
        return "\n\n".join(answers)
    width = max(map(len, library.groups()))
    lines = [f"  {group:<{width}}  {', '.join(library.options(group))}" for group in library.groups()]
    wrapped = [
        fill(line, min(columns(), 110), subsequent_indent=" " * (width + 4), break_long_words=False) for line in lines
    ]
    return HELP.format(groups="".join(f"{line}\n" for line in wrapped), conf=shipped_conf()).rstrip()


def columns() -> int:
    """The columns of the screen, within reason."""
    return max(60, console(stderr=False).width)


def about(library: Library, word: str, keys: str) -> str:
    """Everything that a word is: a group or a key, options of that name, and last the page; empty if it is none.

    ``loss=hinge`` is one option. Where a word has no page, the pages whose names begin with it are named: ``losses``.
    """
    group, chosen, name = word.partition("=")
    if word == KEYS:
        return whole_file((shipped_conf() / keys).read_text(encoding="utf-8"), columns())
    if group in library.groups():
        names = [name] if chosen and name in library.options(group) else library.options(group)
        parts = [_option(library, group, each) for each in names]
    else:
        parts = [key_text(library, group, keys)]
        if not key_here(word, "…"):  # `lr` is meant as a key, and not as sweep=lr
            parts += [_option(library, each, word) for each in library.groups() if word in library.options(each)]
    if word in pages():
        parts.append(rendered(word, console(stderr=False)))
    elif any(parts):
        parts += [f"More: gan-train --help {page}" for page in pages() if page.startswith(group)]
    elif (answer := _here(word)) and (meant := about(library, answer.partition("=")[0], keys)):
        parts += [f"{word}: here it is {answer}", meant]
    return "\n\n".join(part for part in parts if part)


def _here(word: str) -> str | None:
    """What to type for a key in another program's words."""
    return "steps=…" if plain(word) in LENGTHS else key_here(word, "…")


def _unknown(library: Library, word: str) -> str:
    """The line for a word that is no group, option, key or topic."""
    if answer := _here(word):
        return f"--help {word}: no such key{told(answer)}"
    if found := options_named(word):
        return f"--help {word}: no such topic: here it is {' or '.join(found)}: --help {found[0].partition(' ')[0]}"
    meant = suggestion(word, [*library.groups(), *pages()]) or suggestion(word, known_keys(Root, GROUPS))
    if not meant and (found := mentioning(word)):
        meant = f": the word stands in --help {' '.join(found)}"
    return f"--help {word}: no such group, option, key or topic{meant or f': --help {INDEX} lists the topics'}"


def _option(library: Library, group: str, name: str) -> str:
    """An option with the comment that opens its YAML file."""
    lines = library.file(group, name).read_text(encoding="utf-8").splitlines()
    opening = list(takewhile(lambda line: line.startswith("#"), lines))
    words = [line.lstrip("#").removeprefix(" ") for line in opening if not line.startswith("# @package")]
    return "\n".join([f"{group}={name}", *(f"    {line}" for line in filled(words, columns() - 4))])


def key_text(library: Library, key: str, keys: str) -> str:
    """A key where it stands in the YAML files, with its value and the comment that says what it trades."""
    group, _, rest = key.partition(".")
    found = lines_giving((shipped_conf() / keys).read_text(encoding="utf-8"), key.split("."))
    parts = ["\n".join(below(found, columns()))] if found else []
    preset = library.file("experiment", DEFAULT) if found and keys == "config.yaml" else None
    if preset and (others := lines_giving(preset.read_text(encoding="utf-8"), key.split("."))):
        told_of = [f"experiment={DEFAULT}, which a run is that names no preset", *below(others, columns() - 4)]
        parts.append("\n    ".join(told_of))
    if group in library.groups() and rest:
        name, _, last = rest.partition(".")
        for option in library.options(group):
            own = last if group in SEVERAL and name == option else rest
            text = library.file(group, option).read_text(encoding="utf-8")
            path = own.split(".") if own else []
            if path and (
                lines := lines_giving(text, path) or lines_giving(text, [group, *path])
            ):  # of all groups: model=vae
                parts.append("\n".join([f"{group}={option}", *(f"    {line}" for line in below(lines, columns() - 4))]))
    for meant in dict.fromkeys(REFERENCE.findall("\n".join(found))):
        if text := key_text(library, meant, keys):
            parts.append(f"{meant}, which it follows:\n\n{text}")
    return "\n\n".join(parts)


def installation() -> str:
    """Versions, devices and folders; imports torch."""
    import torch

    lines = [f"gan-train    {version('gan-cli')}", f"python       {platform.python_version()} on {platform.platform()}"]
    for package in ("torch", "torchvision", "hydra-core", "omegaconf", "pydantic", "numpy"):
        try:
            lines.append(f"{package:<12} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package:<12} missing")
    lines.append(f"cpu          {os.cpu_count()} cores, {torch.get_num_threads()} threads used")
    for i in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(i)
        lines.append(f"cuda:{i}       {facts.name}, {facts.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        lines.append("cuda         none")
    lines.append(f"conf         {shipped_conf()}")
    return "\n".join(lines)
