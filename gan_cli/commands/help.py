"""What ``--help`` and ``--info`` print."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile

from gan_cli.commands.pages import INDEX, mentioning, pages, rendered
from gan_cli.config.library import Library, shipped_conf
from gan_cli.config.mistakes import suggestion
from gan_cli.config.options import GROUPS, SEVERAL
from gan_cli.config.root import Root
from gan_cli.config.typed import known_keys
from gan_cli.config.words import key_here, told
from gan_cli.errors import UserError
from gan_cli.output.screen import console

HELP = """\
gan-train: train generative adversarial networks

  gan-train                                   a DCGAN on the digits that ship with it
  gan-train steps=10000 batch_size=128        any key can be set
  gan-train loss=minimax dataset=mnist        any group can be chosen
  gan-train dataset=image_folder dataset.path=~/pictures    a folder or zip; its folders are the classes: --help dataset
  gan-train dataset=ring architecture=mlp     points in the plane instead of pictures
  gan-train discriminator.steps=5 discriminator.lr=4e-4
  gan-train resume=latest steps=20000         go on where a run stopped
  gan-train start=RUN dataset.size=64         a new run with the weights of another
  gan-train -m loss=minimax,non_saturating seed=0,1,2
  gan-train -m sweep=loss_comparison
  gan-train metrics=frechet watch=frechet     measure while training, keep the best checkpoint
  gan-train dry_run=true                      check everything, show networks and sizes, write nothing

Beside it: gan-eval checkpoint=latest, gan-sample checkpoint=latest, gan-report outputs, gan-bench; each has its --help.

Options
{groups}
Keys, with their values and what they trade:  gan-train --cfg job, and the comments in {conf}

Flags
  -m, --multirun        one run for each combination of values
  -cd, --config-dir D   add your own options: D/GROUP/NAME.yaml
  --cfg job             print the composed config and stop (--resolve: with references resolved)
  --info                versions, devices, folders
  --version, --help     this program's version; this text
  --help topics         the manual, by topic: pictures, resume, metrics, losses, sweeps, speed, python, …
  --help loss           what each option of a group is for (also: penalty, dataset, experiment, …)
  --help batch_size     what a key is for (also: penalty.r1.interval, optimizer.lr, …)
  -sc install=bash      shell completion: eval "$(gan-train -sc install=bash)" (also zsh, fish)
"""


def help_text(library: Library, *words: str, keys: str = "config.yaml") -> str:
    """The overview, or what some groups, keys and topics are for.

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
    return HELP.format(groups="".join(f"{line}\n" for line in _wrapped(lines, width)), conf=shipped_conf()).rstrip()


def about(library: Library, word: str, keys: str) -> str:
    """What a word is: a group, or else a key, and then the page of that name; empty if it is none of them.

    Where it has no page of its own, the pages whose names begin with it are named: ``losses`` for ``loss``.
    """
    parts = [_options(library, word) if word in library.groups() else key_text(library, word, keys)]
    if word in pages():
        parts.append(rendered(word, console(stderr=False)))
    elif parts[0]:
        parts += [f"More: gan-train --help {name}" for name in pages() if name.startswith(word)]
    return "\n\n".join(part for part in parts if part)


def _unknown(library: Library, word: str) -> str:
    """The line for a word that is no group, key or topic."""
    if answer := key_here(word, "…"):
        return f"--help {word}: no such key{told(answer)}"
    meant = suggestion(word, [*library.groups(), *pages()]) or suggestion(word, known_keys(Root, GROUPS))
    if not meant and (found := mentioning(word)):
        meant = f": the word stands in --help {' '.join(found)}"
    return f"--help {word}: no such group, key or topic{meant or f': --help {INDEX} lists the topics'}"


def _options(library: Library, group: str) -> str:
    """Each option of a group with the comment that opens its YAML file."""
    parts = []
    for name in library.options(group):
        lines = library.file(group, name).read_text(encoding="utf-8").splitlines()
        opening = list(takewhile(lambda line: line.startswith("#"), lines))
        words = [line.lstrip("#").removeprefix(" ") for line in opening if not line.startswith("# @package")]
        parts.append("\n".join([f"{group}={name}", *(f"    {line}" for line in words)]))
    return "\n\n".join(parts)


def key_text(library: Library, key: str, keys: str) -> str:
    """A key where it stands in the YAML files, with its value and the comment that says what it trades."""
    group, _, rest = key.partition(".")
    found = _lines_of((shipped_conf() / keys).read_text(encoding="utf-8"), key.split("."))
    parts = ["\n".join(found)] if found else []
    if group in library.groups() and rest:
        name, _, last = rest.partition(".")
        for option in library.options(group):
            own = last if group in SEVERAL and name == option else rest
            text = library.file(group, option).read_text(encoding="utf-8")
            path = own.split(".") if own else []
            if path and (lines := _lines_of(text, path) or _lines_of(text, [group, *path])):  # of all groups: model=vae
                parts.append("\n".join([f"{group}={option}", *(f"    {line}" for line in lines)]))
    return "\n\n".join(parts)


def _lines_of(text: str, path: list[str]) -> list[str]:
    """The lines of a YAML text that give a key, with the comments beside and below them; none if it has no such key."""
    lines, indent = text.splitlines(), 0
    for depth, part in enumerate(path):
        opening = f"{' ' * indent}{part}:"
        start = next((i for i, line in enumerate(lines) if line.startswith(opening)), None)
        if start is None:
            return []
        deeper = " " * (indent + 1)
        rest = lines[start + 1 :]
        end = next((i for i, line in enumerate(rest) if not line.strip() or not line.startswith(deeper)), len(rest))
        within = rest[:end]
        if depth == len(path) - 1:
            return [line[indent:] for line in (lines[start], *within)]
        lines = within
        indent = next((len(line) - len(line.lstrip()) for line in lines if not line.lstrip().startswith("#")), 0)
    return []


def _wrapped(lines: list[str], width: int) -> list[str]:
    import textwrap

    return [textwrap.fill(line, 110, subsequent_indent=" " * (width + 4), break_long_words=False) for line in lines]


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
