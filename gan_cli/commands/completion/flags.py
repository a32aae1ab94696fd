"""The flags of each command, and the values of those that take one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO

from gan_cli.config.flags import OWN, PLAIN, SHOWN, TAKES_VALUE, TOLD

FLAG = re.compile(r"^  (?:-\w, )?(?P<flag>--[\w-]+)(?: (?P<value>\{[^}]+\}|[A-Z'][\w=,' ]*))?(?:  |$)", re.MULTILINE)
VALUES: dict[str, Sequence[str]] = {"--cfg": SHOWN, "--info": TOLD, "--config-dir": (), "--package": ("_global_",)}
VALUES |= {"-sc": [f"{what}={shell}" for what in ("install", "uninstall") for shell in ("bash", "zsh", "fish")]}
VALUES |= {"--shell-completion": VALUES["-sc"]}
VALUES |= {short: VALUES[long] for long, short in TAKES_VALUE.items() if long in VALUES}


def flags_of(program: str) -> list[str]:
    """Every flag of a command."""
    if program == "gan-train":
        return [*TAKES_VALUE, *PLAIN, *OWN, "--info"]
    return [*_from_help(program), "--config-dir"] if program != "gan-report" else [*_from_help(program)]


def values_of_flag(program: str, flag: str) -> Sequence[str] | None:
    """What can follow a flag; nothing: a path; None if it takes no value."""
    if program == "gan-train" or flag in ("--config-dir", "-cd"):
        return VALUES.get(flag)
    return _from_help(program).get(flag)


def _from_help(program: str) -> dict[str, Sequence[str] | None]:
    """The flags that a command's ``--help`` lists, each with its values, as ``values_of_flag`` has them."""
    if (main := _main(program)) is None:
        return dict.fromkeys(OWN)
    said = StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        main(["--help"])
    found: dict[str, Sequence[str] | None] = {}
    for flag, value in FLAG.findall(said.getvalue()):
        found[flag] = None if not value else value.strip("{}").split(",") if value.startswith("{") else ()
    return found


def _main(program: str) -> Callable[[Sequence[str]], None] | None:
    """A command that has flags of its own."""
    if program == "gan-report":
        from gan_cli.commands.report.command import main

        return main
    if program == "gan-bench":
        from gan_cli.commands.bench.command import main

        return main
    return None
