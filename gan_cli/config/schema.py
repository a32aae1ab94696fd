"""The typed config: which keys there are, and what their values may be.

Nothing here imports torch, so every mistake in a command is found in a fraction of a second and before any
folder is made. Values live in the YAML files of ``conf/``; here are only types and limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gan_cli.config.command import Command
from gan_cli.config.compose import compose
from gan_cli.config.flags import SEVERAL
from gan_cli.config.interpolations import texts_in
from gan_cli.config.library import NAMES, Library
from gan_cli.config.mistakes import RENAMED
from gan_cli.config.options import GROUPS, Choice, Chosen, Values
from gan_cli.config.overrides import PLAIN_GAME
from gan_cli.config.root import RULES, PlayerOptions, Root, unlabelled
from gan_cli.config.typed import typed
from gan_cli.errors import UserError

NOT_SAVED = {"name", "resume", "dry_run"}  # into checkpoints


class Config(Root):
    """Everything a run needs to know."""

    model: Choice
    dataset: Choice
    architecture: Choice
    loss: Choice
    prior: Choice
    optimizer: Choice
    schedule: Choice
    guard: Choice
    penalty: dict[str, Choice]
    metrics: dict[str, Choice]
    extractor: Choice
    logger: dict[str, Choice]

    @property
    def seeds(self) -> range:
        """Those of an ensemble's members; none of a single run."""
        return range(self.seed, self.seed + self.ensemble)

    def player(self, name: str) -> PlayerOptions:
        """Moves per turn and learning rate of a player: those under its name, or one move at the optimizer's rate."""
        own = {"discriminator": self.discriminator, "generator": self.generator}
        return own.get(name) or PlayerOptions(steps=1, lr=self.optimizer.model_dump()["lr"])

    def slowed(self, attempt: int) -> float:
        """The factor of every rate in an attempt: 1, unless the guard slows a run that has gone back."""
        return self.guard.model_dump().get("rate", 1.0) ** attempt

    def of_data(self, classes: int) -> Config:
        """The same for data of so many classes.

        Raises:
            UserError: if the model cannot do with as many.
        """
        model = self.model.told(classes, self.dataset.name)
        return self if model is self.model else self.model_copy(update={"model": model})

    def one(self, group: str) -> Choice:
        """The chosen option of a group."""
        return vars(self)[group]

    def several(self, group: str) -> dict[str, Choice]:
        """The chosen options, by name, of a group of which any number can be chosen."""
        return vars(self)[group]

    def saved(self) -> dict[str, object]:
        """Plain values for a checkpoint. It holds the names of options only, so it cannot say which code to run."""
        saved = self.model_dump(exclude=NOT_SAVED)
        for group in GROUPS:
            if group in SEVERAL:
                saved[group] = {name: choice.model_dump() for name, choice in self.several(group).items()}
            else:
                saved[group] = self.one(group).model_dump()
        return saved


def validate(raw: Values, library: Library) -> Config:
    """Converts plain nested values, as composed from YAML, to a typed config.

    Raises:
        UserError: with one line for *every* mistake found.
    """
    values, problems = typed(raw, library, Root, GROUPS)
    problems.extend(_contradictions(Chosen(raw, values)))
    problems += [
        f"{key}={text}: holds ${{, and what looks like a reference is not saved: give it another name, or a link"
        for key, text in texts_in({key: value for key, value in raw.items() if key not in NOT_SAVED})
        if "${" in text
    ]
    if problems:
        raise UserError(*problems)
    dataset, model = values["dataset"], values["model"]
    assert isinstance(dataset, Choice)
    assert isinstance(model, Choice)
    values["dataset"] = dataset.settled(model)
    if values["conditional"] == "auto":
        values["conditional"] = _sees_labels(Chosen(raw, values), library)
        heeded = model.heeds("conditioning")  # else it is answered where what was typed is known
        if not values["conditional"] and values["conditioning"] != "concat" and heeded:
            raise UserError(unlabelled(str(values["conditioning"])))
    return Config.model_construct(None, **values)


def _sees_labels(chosen: Chosen, library: Library) -> bool:
    """What ``conditional=auto`` means: true where the data has labels for certain, and all that would see them can."""
    dataset, model, architecture = (chosen.one(group) for group in ("dataset", "model", "architecture"))
    assert dataset is not None
    assert model is not None
    assert architecture is not None
    heeded = model.heeds("conditional") and not library.has_own_class("architecture", architecture.name)
    return dataset.has_labels and heeded and chosen.count("pack") == 1


def from_saved(saved: Values, library: Library) -> Config:
    """The config in a checkpoint; keys that are newer than the checkpoint take their defaults.

    Raises:
        UserError: if it does not fit this version, or has an option of your own and its folder is not given.
    """
    return validate(completed(renamed(saved), library), library)


def renamed(saved: Values) -> dict[str, object]:
    """The values in a checkpoint, by the keys of today."""
    values = dict(saved)
    if "on_divergence" in values:
        chosen = RENAMED["on_divergence"].get(str(values.pop("on_divergence")), "guard=stop")
        values.setdefault("guard", {"name": chosen.removeprefix("guard=")})
    if isinstance(penalties := values.get("penalty"), Mapping):
        values["penalty"] = {name: _annealed(options) for name, options in penalties.items()}
    return values


def _annealed(penalty: object) -> object:
    """A penalty without half of an annealing, which has never had an effect."""
    if not isinstance(penalty, Mapping) or (penalty.get("final_weight") is None) != bool(penalty.get("anneal_images")):
        return penalty
    return {**penalty, **{key: none for key, none in (("final_weight", None), ("anneal_images", 0)) if key in penalty}}


def completed(saved: Values, library: Library) -> dict[str, object]:
    """The values in a checkpoint, and the defaults of keys that it does not know."""
    complete = {"name": None, "resume": None, "dry_run": False, **saved}
    if not {*GROUPS, *Root.model_fields} <= complete.keys():
        plain = compose(Command(), library, PLAIN_GAME.texts).values  # what the default adds is not the run's
        complete = {**plain, **complete}
    for group in GROUPS:
        node = complete.get(group) or {}
        if group in SEVERAL:
            complete[group] = {name: _completed(group, options, library) for name, options in node.items()}
        else:
            complete[group] = _completed(group, node, library)
    return complete


def _completed(group: str, node: object, library: Library) -> object:
    if not isinstance(node, Mapping) or node.get("name") not in library.options(group):
        return node  # validation says what is wrong with it
    defaults = {key: value for key, value in library.values(group, node["name"]).items() if key not in NAMES}
    return _filled(node, {**defaults, **library.schema(group, node["name"]).before})


def _filled(node: Values, defaults: Values) -> dict[str, object]:
    """``node`` with the defaults of keys that it lacks, at any depth, except defaults that refer to other keys."""
    filled = dict(node)
    for key, default in defaults.items():
        if isinstance(default, Mapping) and isinstance(filled.get(key), Mapping):
            filled[key] = _filled(filled[key], default)
        elif key not in filled and not str(default).startswith("${"):
            filled[key] = default
    return filled


def _contradictions(chosen: Chosen) -> list[str]:
    """One line for each combination of valid values that contradict each other."""
    problems = [line for rule in RULES for line in rule(chosen)]
    return problems + [line for _, option in _in_use(chosen) for line in option.contradictions(chosen)]


def advice(config: Config) -> list[str]:
    """One line for each combination of options that seldom goes well."""
    chosen = Chosen(config.saved(), vars(config))
    return [line for _, option in _in_use(chosen) for line in option.advice(chosen)]


def unused_keys(config: Config) -> dict[str, str]:
    """Keys that have no effect beside the other values, and what is said of each where it is typed."""
    chosen = Chosen(config.saved(), vars(config))
    return {
        f"{place}.{key}": str(why) for place, option in _in_use(chosen) for key, why in option.unused(chosen).items()
    }


def _in_use(chosen: Chosen) -> Iterator[tuple[str, Choice]]:
    """The options of every group with their places, but for those that the model has no use for."""
    model = chosen.one("model")
    for group, options in chosen.options.items():
        if group in GROUPS and (model is None or model.heeds(group)):
            if group in SEVERAL:
                yield from ((f"{group}.{name}", option) for name, option in options.items())
            else:
                yield group, options
