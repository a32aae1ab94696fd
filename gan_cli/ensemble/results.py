"""What the members of an ensemble have reached, as means and spreads over them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from gan_cli.config.schema import Config
from gan_cli.ensemble.member import Member
from gan_cli.runs.records import Record, step_in
from gan_cli.runs.status import Status, cluster_job


def mean_record(members: Sequence[Member]) -> Record:
    """The newest line of the log: means over the members, and the summed images per second."""
    newest = max(step_in(member.last) for member in members if member.last)
    lasts = [member.last for member in members if member.last.get("step") == newest]
    values = {key: [v for last in lasts if (v := last.get(key)) is not None] for key in lasts[0]}
    record: Record = {key: fmean(found) if found else None for key, found in values.items()}
    return {**record, "step": newest, "images_per_second": sum(values["images_per_second"])}


def spreads(members: Sequence[Member]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of the members' results, by name."""
    results = [member.results() for member in members]
    values = {key: [v for each in results if (v := each.get(key)) is not None] for r in results for key in r}
    return {key: (fmean(found), stdev(found) if len(found) > 1 else 0.0) for key, found in values.items() if found}


def spreads_told(members: Sequence[Member]) -> str:
    """The same in words; "" if there are none."""
    found = spreads(members).items()
    return ", ".join(f"{key.replace('_', ' ')} {mean:.4g} ± {spread:.2g}" for key, (mean, spread) in found)


def status_facts(config: Config, members: Sequence[Member], at: int) -> Status:
    """The status of the whole at a step: means of the members' results, and their spreads."""
    facts: Status = {"step": at, "steps": config.steps, "seeds": list(config.seeds), "compile": config.compile}
    facts["images"] = sum(member.setup.batch_sizes.images_seen(member.at) for member in members)
    facts["members"] = {member.folder.path.name: member.fate for member in members}
    for key, (mean, spread) in spreads(members).items():
        facts[key] = {"metric": config.watch, "value": mean} if key == "best" else mean
        facts.setdefault("spread", {})[key] = spread
    if job := cluster_job():
        facts["job"] = job
    if members:
        facts |= {key: value for key, value in members[0].quality.items() if key == "of_modes"}
        facts["seconds"] = members[0].record.seconds
    return facts
