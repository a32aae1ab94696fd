"""The step that trains is the one that a plain script writes out, with new samples for G and with D's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, setup_of

from gan_cli.commands.bench.contender import advance
from gan_cli.errors import UserError
from gan_cli.random import seed_move
from gan_cli.training import capture

STEPS = 20


def written_out(setup, simultaneous: bool, k: int) -> None:
    """In plain torch: no freezing, nothing shared but what ``reuse_fakes`` shares."""
    g, d, loss = setup.game.generator, setup.game.discriminator, setup.game.loss
    (of_d, of_g), batch = setup.players, setup.config.batch_size

    def minibatch(name, step, steps, move):
        seed_move(0, "move", step, name, move, device=setup.device)
        rows, labels = setup.minibatches.rows(name, ((step - 1) * steps + move) * batch, batch)
        return setup.minibatches.scaled(rows), labels, setup.sampler.prior.sample(batch, setup.device, None)

    for step in range(1, STEPS + 1):
        for move in range(k):
            x, labels, z = minibatch("discriminator", step, k, move)
            fake = g(z, labels)
            of_d.optimizer.zero_grad()
            loss.discriminator(d(x, labels), d(fake.detach(), labels)).backward()
            if not (simultaneous and move == k - 1):
                of_d.descend(step)
        of_g.optimizer.zero_grad()
        drawn = minibatch("generator", step, 1, 0)
        if not setup.config.reuse_fakes:
            x, labels, z = drawn
            fake = g(z, labels)
        gradients = torch.autograd.grad(loss.generator(d(fake, labels), d(x, labels)), of_g.parameters)
        for parameter, gradient in zip(of_g.parameters, gradients, strict=True):
            parameter.grad = gradient
        if simultaneous:
            of_d.descend(step)
        of_g.descend(step)
        if setup.ema:
            setup.ema.update(step)


@pytest.mark.parametrize("reuse", ["true", "false"])
@pytest.mark.parametrize(
    ("updates", "k", "game"),
    [
        ("alternating", 1, (*TINY_DCGAN,)),
        ("alternating", 3, (*TINY_MLP, "conditional=true", "architecture.generator.norm=batch")),
        ("simultaneous", 1, (*TINY_POINTS, "architecture.discriminator.dropout=0.3", "loss=relativistic")),
    ],
    ids=["batch norm", "labels, k=3", "relativistic, dropout, at once"],
)
def test_it_is_the_step_that_scripts_write_out(updates, k, game, reuse):
    game = (*game, f"updates={updates}", f"discriminator.steps={k}", f"reuse_fakes={reuse}")
    ours, plain = setup_of(*game), setup_of(*game)
    advance(ours, range(1, STEPS + 1))
    written_out(plain, updates == "simultaneous", k)
    for name in ("generator", "discriminator"):
        found, expected = (getattr(setup.game, name).state_dict() for setup in (ours, plain))
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-6, msg=key)


def test_a_pass_of_the_generator_is_saved():
    passes = []
    for reuse in ("true", "false"):
        setup = setup_of(*TINY_DCGAN, f"reuse_fakes={reuse}")
        calls = []
        setup.game.generator.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        advance(setup, range(1, 4))
        passes.append(len(calls))
    assert passes == [3, 6]


def test_moves_that_share_samples_are_not_recorded():
    setup = replace(setup_of(*TINY_MLP, "reuse_fakes=true"), device=torch.device("cuda"))
    assert type(capture.recorder(setup)) is capture.Eager
    insists = replace(setup, config=setup.config.model_copy(update={"capture": True}))
    with pytest.raises(UserError, match="goes on with what D's has computed: use capture=auto"):
        capture.recorder(insists)


def test_an_ensemble_says_that_it_does_not(gan_train):
    result = gan_train(*TINY_POINTS, "ensemble=2", "reuse_fakes=true", "steps=1")
    assert result.code == 2
    assert result.errors[0].startswith("gan-train: error: reuse_fakes=true: ensemble=2 cannot")
    assert result.errors[0].endswith("use reuse_fakes=false")
