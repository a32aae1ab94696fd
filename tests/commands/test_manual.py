"""README and the pages of the manual: found, printed, linked, and true of the commands that stand in them."""

from __future__ import annotations

import ast
import io
import re
import shlex
from copy import deepcopy
from functools import cache, partial
from importlib.resources import files
from importlib.util import find_spec
from itertools import dropwhile
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from gan_cli.commands.bench.command import _parser as bench_parser
from gan_cli.commands.bench.variants import variants
from gan_cli.commands.help import help_text, key_text
from gan_cli.commands.pages import INDEX, LINK, pages, rendered
from gan_cli.commands.report.command import main as report
from gan_cli.commands.sampling.keys import SAMPLING
from gan_cli.commands.tool import EVALUATION, Tool
from gan_cli.config.command import Command
from gan_cli.config.compose import compose, wrong_options
from gan_cli.config.draft import check
from gan_cli.config.flags import SEVERAL
from gan_cli.config.library import Library
from gan_cli.config.options import GROUPS, Values
from gan_cli.config.root import Root
from gan_cli.config.schema import validate
from gan_cli.config.typed import known_keys
from gan_cli.errors import UserError
from gan_cli.models.lengths import fits

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "gan_cli" / "docs").glob("*.md"))]
MARKUP = str.maketrans("|`", "  ")
KEYS = {*known_keys(Root, GROUPS), *GROUPS, "sweep", "experiment"}


def test_readme_is_a_front_page():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 180
    code = "".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL))
    assert {line for line in code.splitlines() if len(line) > 96} == set()  # a page has no room for more
    one, other, *_ = code.splitlines()
    assert one.partition("#")[0].strip() == "pip install -e . && gan-train"
    assert other.partition("#")[0].strip() == "pip install -e '.[test]' && pytest"


def test_the_topics_are_the_pages():
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \|", pages()[INDEX].read_text("utf-8"), re.MULTILINE)
    assert all((files("gan_cli") / "docs" / f"{name}.md").is_file() for name, _ in listed)
    assert sorted(listed) == [(name, name) for name in pages() if name != INDEX]


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(text):
    content = text.read_text("utf-8")
    for target in [*(target for _, target in LINK.findall(content)), *re.findall('src="([^"]+)"', content)]:
        assert target.startswith("https://") or (text.parent / target).exists(), target


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", pages())
def test_a_page_is_printed_plain_and_within_the_width(name, columns):
    out = rendered(name, Console(file=io.StringIO(), width=columns))
    title, underline, use, *_ = (line for line in out.splitlines() if line)
    assert underline == "=" * len(title)
    assert title == pages()[name].read_text("utf-8").splitlines()[0].removeprefix("# ")
    assert use.startswith("Use this ")
    assert "](" not in out  # links are commands here
    assert "\x1b" not in out
    assert {line for line in out.splitlines() if cell_len(line) > columns} == set()
    rows = [line for line in pages()[name].read_text("utf-8").splitlines() if line.startswith("| ")]
    words = {word for row in rows for word in LINK.sub(" ", row).replace("\\*", "*").translate(MARKUP).split()}
    assert {word for word in words if word not in out} == set()  # none is broken


@pytest.mark.parametrize("text", ["conf/architecture/dcgan1d.yaml", "gan_cli/docs/tables.md"])
def test_lengths_of_signals_that_are_named_can_be_made(text):
    [named] = re.findall(r"doubled once or more(?:, such as|:) ([\d, \n]+)\.", (ROOT / text).read_text("utf-8"))
    assert {length for length in map(int, named.split(",")) if not fits(length)} == set()


def values_in(source: str) -> dict[str, str]:
    """The names by which the code of metrics returns values, each with ↑ or ↓ where it says which way is better.

    A name that ends with a slash goes on with one of the data.
    """
    names: list[ast.expr | None] = []
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict | ast.DictComp):
            pairs = (
                [(node.key, node.value)] if isinstance(node, ast.DictComp) else zip(node.keys, node.values, strict=True)
            )
            for key, value in pairs:
                names.append(key)
                if isinstance(value, ast.Constant) and value.value in ("low", "high"):
                    found[beginning(key)] = "↓" if value.value == "low" else "↑"
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            names.append(node.slice)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):  # names of several values
            names += node.value.elts
    return {name: found.get(name, "") for name in map(beginning, names) if name}


def beginning(name: ast.expr | None) -> str:
    """A text, or what comes before the first gap in one; empty for what is none, or no name."""
    first = name.values[0] if isinstance(name, ast.JoinedStr) else name
    text = first.value if isinstance(first, ast.Constant) else None
    return text if isinstance(text, str) and re.fullmatch(r"[\w/]+", text) else ""


def test_every_value_of_a_metric_is_explained():
    sources = [path.read_text("utf-8") for path in sorted((ROOT / "gan_cli" / "metrics").glob("*.py"))]
    values: dict[str, str] = {}
    for source in sources:
        if re.search(r"^class \w+\((Metric|Neighbourly)\)", source, re.MULTILINE):
            values |= values_in(source)
    assert len(values) > 50
    explained = re.findall(r"`([\w/]+)`(?: ([↑↓]))?", pages()["metrics"].read_text("utf-8").split("## The values")[1])
    ways = {re.sub(r"(?<=/)(NAME|32)$", "", name): way for name, way in reversed(explained)}
    assert {name: way for name, way in values.items() if ways.get(name) != way} == {}
    comments = "".join(path.read_text("utf-8") for path in (ROOT / "conf" / "metrics").glob("*.yaml"))
    assert {name for name in values if not re.search(rf"(?<![\w/]){name}", comments)} == set()


# --- what stands in them ---------------------------------------------------------------------------------------------
def written(text: str) -> list[list[str]]:
    """The words of every command in a page: in its shell blocks, and between backticks in its prose."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    prose = " ".join(re.sub(r"```.*?```", "", text, flags=re.DOTALL).split())
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    lines += re.findall(r"`((?:[A-Z_]+=\S+ )?(?:gan-\w+|python|pytest|pip) [^`]+)`", prose)
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        for command in " ".join(map(shlex.quote, words)).split("'&&'"):
            words = shlex.split(command)
            found.append(list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), words)))
    return [words for words in found if words]


def wrong(program: str, words: list[str]) -> str | None:
    """What is wrong with a command, as far as that can be told without running it."""
    words = [word for word in words if "…" not in word and word != "RUN"]
    if program == "pytest":
        return next((word for word in words if word.startswith("tests/") and not (ROOT / word).exists()), None)
    if program == "python":
        module, script = words[:1] == ["-m"], ROOT / words[0]
        return None if (find_spec(words[1]) if module else script.exists()) else f"no such {words[module]}"
    if program == "pip":
        extras = (ROOT / "pyproject.toml").read_text("utf-8")
        return next((x for x in re.findall(r"\[(\w+)\]", " ".join(words)) if f"\n{x} = [" not in extras), None)
    if program in CHECKS:
        try:
            CHECKS[program](words)
        except UserError as error:
            return str(error)
    return None


EVERYWHERE = {"steps", "seed", "name", "dry_run", "compile", "dataset.root", "dataset.path"}  # goes with every option


@cache
def chosen(*groups: str) -> Values:
    """The values that options of groups compose to: many commands choose the same ones, and composing takes long."""
    return compose(Command([], list(groups)), Library(), groups).values


def trains(words: list[str]) -> None:
    command = Command.parse(words)
    if command.has("--help"):
        help_text(Library(), *command.overrides)
        return
    typed = command.parsed(Library())
    problems = [*typed.problems, *(x for o in typed for value in o.values for x in wrong_options(o, value, Library()))]
    keys = {override.key: override.values[0] for override in typed if not (override.is_group or override.continuous)}
    problems += [f"{key}: no such key" for key in keys if key not in KEYS and key.split(".")[0] not in SEVERAL]
    if problems:
        raise UserError(*problems)
    groups = sorted(override.texts[0] for override in typed if override.is_group)
    if "resume" in keys or (len(groups) == 1 and keys.keys() <= EVERYWHERE):
        return  # the rest is in a checkpoint; another test composes every option alone
    values = deepcopy(chosen(*groups))
    for key, value in keys.items():
        *parents, last = key.split(".")
        node = values
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value if key != "steps" or isinstance(value, int) else 1  # {gan: 760, …}: of each model
    validate(values, Library())


def uses_tool(tool: Tool, words: list[str]) -> None:
    command = Command.parse(words)
    library = Library()
    command.config_name, command.root = tool.name, tool.root
    if command.has("--help"):
        help_text(library, *command.overrides, keys=f"{tool.name}.yaml")
    else:
        keys = [override.key for override in command.parsed(library).every]
        check(command, library, lambda values, library: tool.validate(values, library, keys))


def benches(words: list[str]) -> None:
    options, rest = bench_parser().parse_known_args(words if words[-1:] != ["--peer"] else words[:-1])
    command = Command.parse(rest)
    variants(command, options.compare, Library(*command.config_dirs), to_quality=bool(options.until))


def reports(words: list[str]) -> None:
    with pytest.raises(UserError, match=r"holds no run|no such"):
        report(words)


CHECKS = {
    "gan-train": trains,
    "gan-eval": partial(uses_tool, EVALUATION),
    "gan-sample": partial(uses_tool, SAMPLING),
    "gan-bench": benches,
    "gan-report": reports,
}


def test_every_command_is_one_that_can_be_typed(monkeypatch):
    monkeypatch.chdir(ROOT)
    commands = {tuple(words) for text in TEXTS for words in written(text.read_text("utf-8")) if "my_conf" not in words}
    assert len(commands) > 100
    assert {" ".join(words): fault for words in commands if (fault := wrong(words[0], list(words[1:])))} == {}


OTHER = {"a", "b", "c", "generator_step"}  # keys of the option that the sentence is about
OTHER |= {"key", "epochs", "real_logits", "labels", "conditions"}  # a placeholder, other programs' words, and Python's


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_every_key_in_the_prose_exists(text):
    prose = " ".join(re.sub(r"```.*?```", "", text.read_text("utf-8"), flags=re.DOTALL).split())
    spans = [span.strip("'") for span in re.findall(r"`([^`]+)`", prose)]
    keys = {match[1] for span in spans for match in re.finditer(r"(?<![\w.=-])([a-z_][a-z_0-9.]*)=", span)}
    library = Library()
    files_of_keys = ("config.yaml", "eval.yaml", "sample.yaml")
    unknown = [key for key in keys - OTHER if key not in library.groups() and not key.startswith("hydra.")]
    assert [key for key in unknown if not any(key_text(library, key, file) for file in files_of_keys)] == []
