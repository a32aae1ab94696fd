"""The results of a run: the last value of each, and published values to compare with. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

LAST = ("loss/", "D/", "critic/", "nats", "bits_per_dim", "images_per_second")  # the last value is a result
OF_STATUS = ("modes", "high_quality", "seconds")  # of the newest grid of a mixture; of training
OF_LIKELIHOOD = ("nats", "bits_per_dim")  # logged of minibatches, and measured by metrics=likelihood


def results_of(status: Mapping[str, object], records: Iterable[Mapping[str, object]]) -> dict[str, float | None]:
    """The watched value at its best, the modes of a mixture, the seconds of training, and the last value of each metric
    and statistic; a metric comes before a statistic of its name.

    Args:
        status: the content of ``status.json``.
        records: the lines of ``metrics.jsonl``.
    """
    values: dict[str, float | None] = {}
    best = status.get("best")
    if isinstance(best, Mapping):
        values[f"best {best['metric']}"] = best["value"]
    found = {key: status[key] for key in OF_STATUS if key in status}
    measured = {}
    for record in records:
        for key, value in record.items():
            if key.startswith(LAST):
                found[key] = value
            elif key.startswith("metric/") and key != "metric/of_modes":
                measured[key.removeprefix("metric/")] = value
    found |= measured
    values.update((key, value if isinstance(value, int | float) else None) for key, value in found.items())
    return values


def with_spread(value: float, spread: float | None) -> str:
    """``12.3 ± 0.4``"""
    return f"{value:.4g}" if spread is None else f"{value:.4g} ± {spread:.2g}"


def compared(published: Sequence[Mapping[str, object]], results: Mapping[str, float | None]) -> list[str]:
    """One line for each result with published values: this run's value, and the published ones."""
    lines = []
    for result in dict.fromkeys(str(figure["result"]) for figure in published):
        theirs = [cited(figure) for figure in published if figure["result"] == result]
        value = results.get(result)
        ours = f"here {value:.4g}" if value is not None else "here not measured"
        lines.append(f"{result}: {ours}; published: {'; '.join(theirs)}")
    return lines


def cited(figure: Mapping[str, object]) -> str:
    """``PacGAN4 7.8 ± 0.1 (Lin et al. 2018, table 1; 2,500 samples)``"""
    value, spread = figure["value"], figure.get("spread")
    assert isinstance(value, int | float)
    number = with_spread(value, spread if isinstance(spread, int | float) else None)
    where = "; ".join(str(figure[key]) for key in ("source", "protocol") if figure.get(key))
    return f"{figure['model']} {number} ({where})"
