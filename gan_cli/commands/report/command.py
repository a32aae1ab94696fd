"""``gan-report PATH…``"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from gan_cli.commands.arguments import Parser
from gan_cli.commands.pages import words_after_help
from gan_cli.config.library import Library
from gan_cli.config.paths import expanded
from gan_cli.errors import UserError
from gan_cli.version import __version__

EXAMPLES = """\
examples:
  gan-report outputs/sweeps/games              report.html in that folder
  gan-report outputs --out all.html            everything trained here
  gan-report outputs/sweeps/games --format md  mean and spread over seeds
  gan-report outputs/sweeps/games --live       as the runs go on, in a browser
  gan-report --help report                     the manual's page
"""


def main(argv: Sequence[str]) -> None:
    """Writes the report and says where, or serves it.

    Raises:
        UserError: if there are no runs, or the file cannot be written.
    """
    if words := words_after_help(argv):
        from gan_cli.commands.help import help_text

        return print(help_text(Library(), *words))
    options = _parser().parse_args(argv)
    if options.live:
        return _live(options)
    if options.port is not None:
        raise UserError(f"--port {options.port}: is for --live: add it, or leave this out")
    if options.main and options.format == "html":
        raise UserError("--main: is for tables, and the page lets you choose: add --format md, csv or json")

    from gan_cli.commands.report.collect import collect
    from gan_cli.commands.report.reading import note
    from gan_cli.output.replacing import put_text

    runs = collect(options.paths)
    first = expanded(options.paths[0], "")
    path = expanded(options.out, "--out ") if options.out else first / "report.html"
    if options.format != "html":
        from gan_cli.commands.report.tables import FORMATS, main_results, result_keys

        text = FORMATS[options.format](runs, main_results(runs) if options.main else result_keys(runs))
        if options.out is None:
            return print(text, end="")
    else:
        from gan_cli.commands.report.page import as_html

        text = as_html(runs, path.parent, ", ".join(options.paths))
    put_text(path, text, "--out ")
    note(f"{len(runs)} run{'s' * (len(runs) > 1)}: {path}")
    return None


def _parser() -> Parser:
    parser = Parser(
        "gan-report",
        description="Results, sample grids and curves of runs or of a sweep.",
        epilog=EXAMPLES,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        default=["outputs"],
        help="run folders, or folders with runs below them; by default outputs",
    )
    parser.add_argument("--format", choices=("html", "csv", "json", "md"), default="html")
    parser.add_argument(
        "--main", action="store_true", help="of csv, json and md: the main results, as the page has first"
    )
    parser.add_argument("--out", help="the file to write; by default report.html in the first PATH, or the screen")
    parser.add_argument(
        "--live", action="store_true", help="serve the page on this machine alone, and keep it up to date: until Ctrl-C"
    )
    parser.add_argument("--port", type=_port, help="of --live; by default one that is free")
    parser.add_argument("--version", action="version", version=f"gan-report {__version__}")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give 1024 to 65535, or leave it out")
    return int(text)


def _live(options: argparse.Namespace) -> None:
    of_files = {"--format": options.format != "html", "--out": options.out, "--main": options.main}
    if wrong := [f"{name}: is for a file, and --live writes none: leave it out" for name, on in of_files.items() if on]:
        raise UserError(*wrong)

    from gan_cli.commands.report.live import serve
    from gan_cli.commands.report.reading import note

    serve(options.paths, options.port or 0, lambda server: note(f"live: {server.address} (until Ctrl-C)"))
