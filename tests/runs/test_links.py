"""What a run writes stays in its folder, wherever that lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import TINY_MLP


@pytest.fixture
def elsewhere(trained) -> Path:
    """A run of two steps in ``run``, beside a folder that is somebody else's."""
    shutil.copytree(trained(*TINY_MLP), "run")
    place = Path("elsewhere")
    place.mkdir()
    (place / "kept").write_text("theirs")
    return place.absolute()


@pytest.mark.parametrize(
    "part",
    ["samples", "checkpoints", "train.log", "metrics.jsonl", "status.json", ".hydra", "samples/.1.step.png", "wandb"],
)
def test_a_run_whose_parts_lead_out_of_its_folder_is_not_gone_on_with(gan_train, elsewhere, part):
    path = Path("run", part)
    if path.exists():
        path.rename(elsewhere / path.name)
    path.symlink_to(elsewhere / path.name)
    if part in ("wandb", "samples/.1.step.png"):
        assert not path.exists()  # leads to what is not there yet
    before = {file: file.read_bytes() for file in elsewhere.rglob("*") if file.is_file()}
    result = gan_train("resume=run", "steps=4")
    assert (result.code, len(result.err.splitlines())) == (2, 1), result.err
    assert f"resume=run: {part} is a link out of the run folder, to {elsewhere / path.name}" in result.err
    assert {file: file.read_bytes() for file in elsewhere.rglob("*") if file.is_file()} == before


def test_outputs_on_another_disk_links_in_a_run_and_checkpoints_kept_elsewhere_are_followed(gan_train, elsewhere):
    Path("run").rename(elsewhere / "run")
    Path("outputs").symlink_to(elsewhere)
    run = Path("outputs/run")
    checkpoint = next((run / "checkpoints").glob("step-*2.pt"))
    checkpoint.rename(elsewhere / "kept.pt")
    checkpoint.symlink_to(elsewhere / "kept.pt")
    (run / "latest.png").symlink_to("samples/step-000000002.png")
    result = gan_train(f"resume={run}", "steps=4")
    assert result.code == 0, result.err
    assert (elsewhere / "run/checkpoints/step-000000004.pt").is_file()


def test_samples_are_not_written_where_a_foreign_run_leads(gan_sample, elsewhere):
    Path("run/generated").symlink_to(elsewhere)
    result = gan_sample("checkpoint=run", "n=1")
    assert (result.code, len(result.lines)) == (2, 1)
    assert result.lines == [f"checkpoint=run: its generated/ is a link to {elsewhere}: say where, out=PATH"]
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
    assert gan_sample("checkpoint=run", "n=1", "out=run/generated/").code == 0
