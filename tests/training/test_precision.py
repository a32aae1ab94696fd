"""Precision: what is asked is what is computed, losses stay exact, and ``auto`` stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import TINY_DCGAN, TINY_MLP, TINY_POINTS, minibatch_of, setup_of, state_in, tensors
from torch.utils._python_dispatch import TorchDispatchMode

from gan_cli.training import precision


class Multiplications(TorchDispatchMode):
    """Notes the type each convolution and matrix product computes in."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set] = {}

    def __torch_dispatch__(self, kernel, types, args=(), kwargs=None):
        name = kernel.name().removeprefix("aten::").partition(".")[0]
        if name in ("convolution", "convolution_backward", "mm", "addmm", "bmm"):
            tensors = [value for value in args if isinstance(value, torch.Tensor) and value.dim() > 1]
            self.seen.setdefault(name, set()).update(tensor.dtype for tensor in tensors)
        return kernel(*args, **(kwargs or {}))


def one_gradient(setup, player):
    x, labels = minibatch_of(setup.minibatches, player.name, 0, 8)
    z = setup.sampler.prior.sample(8)
    strengths = setup.game.strengths(player.name, player.moment(1, 0, setup.batch_sizes))
    return player.gradient(setup.game, x, z, labels, strengths)


@pytest.mark.parametrize("keys", [TINY_DCGAN, TINY_MLP], ids=["dcgan", "mlp"])
def test_bf16_multiplies_in_bf16_forwards_and_backwards_and_nothing_else_is(keys):
    setup = setup_of(*keys, "precision=bf16")
    for player in setup.players:
        with Multiplications() as products:
            statistics = one_gradient(setup, player)
        assert {"mm", "convolution_backward"} & products.seen.keys()
        assert all(types == {torch.bfloat16} for types in products.seen.values()), products.seen
        assert all(value.dtype == torch.float32 for value in statistics.values())
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in player.parameters)


def test_penalties_multiply_in_fp32_whatever_the_networks_do():
    setup = setup_of(*TINY_DCGAN, "precision=bf16", "penalty=r1")
    seen = []
    penalty = setup.game.penalties["r1"]

    def watched(judge, real, fake):
        with Multiplications() as products:
            value = penalty(judge, real, fake)
        seen.append((products.seen, value.dtype, real.dtype, fake.dtype))
        return value

    watched.due, watched.strength = penalty.due, penalty.strength
    setup.game.penalties["r1"] = watched
    one_gradient(setup, setup.players[0])
    ((types, *others),) = seen
    assert "convolution" in types
    assert all(kinds == {torch.float32} for kinds in types.values())
    assert others == [torch.float32] * 3


@pytest.mark.parametrize(
    "loss", ["minimax", "non_saturating", "maximum_likelihood", "least_squares", "hinge", "wasserstein", "relativistic"]
)
def test_logits_of_ten_thousand_stay_finite_in_bf16(loss):
    setup = setup_of(*TINY_POINTS, "precision=bf16", f"loss={loss}")
    for sign in (1e4, -1e4):
        torch.nn.init.constant_(setup.game.discriminator.out.bias, sign)
        for player in setup.players:
            values = one_gradient(setup, player).values()
            assert torch.stack(list(values)).isfinite().all()


@pytest.mark.parametrize("has", [True, False])
def test_auto_is_a_choice_by_hardware_that_a_resumed_run_keeps(gan_train, monkeypatch, caplog, has):
    monkeypatch.setattr(precision, "has_bf16", lambda device: has)
    auto = (*TINY_DCGAN, "precision=auto", "device=cpu", "hydra.run.dir=run")
    assert gan_train(*auto, "steps=3").code == 0
    state = state_in(Path("run"))
    chosen = "bf16" if has else "fp32"
    assert (state["config"]["precision"], state["precision"]) == ("auto", chosen)
    assert f"precision=auto: {chosen}\n" in Path("run/train.log").read_text()
    monkeypatch.setattr(precision, "has_bf16", lambda device: not has)  # another machine
    assert gan_train("resume=run", "steps=6").code == 0
    assert state_in(Path("run"))["precision"] == chosen
    assert f"precision=auto: {chosen}, as before" in Path("run/train.log").read_text()
    assert gan_train(*TINY_DCGAN, f"precision={chosen}", "device=cpu", "steps=6", "hydra.run.dir=whole").code == 0
    ours, theirs = (tensors(state_in(Path(name))["networks"]) for name in ("run", "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_auto_on_a_device_that_cannot_go_on_as_before_says_so(gan_train):
    assert gan_train(*TINY_MLP, "precision=auto", "steps=3", "hydra.run.dir=run").code == 0
    path = max(Path("run/checkpoints").glob("*.pt"))
    torch.save({**torch.load(path, weights_only=True), "precision": "tf32"}, path)
    assert gan_train("resume=run", "steps=4", "device=cpu").code == 0
    assert "precision=auto: was tf32, which is for CUDA devices" in Path("run/train.log").read_text()
    assert state_in(Path("run"))["precision"] == "fp32"


def test_options_typed_on_resuming_are_those_of_the_optimizer(gan_train):
    assert gan_train(*TINY_MLP, "steps=3", "hydra.run.dir=run").code == 0
    assert gan_train("resume=run", "steps=4", "optimizer.betas=[0.1,0.9]").code == 0
    (group,) = state_in(Path("run"))["players"]["generator"]["optimizer"]["param_groups"]
    assert tuple(group["betas"]) == (0.1, 0.9)


REFUSED = {
    "precision=fp16 device=cpu": "precision=fp16: is for CUDA devices, and device=cpu: use fp32 or bf16",
    "precision=tf32 device=mps": "precision=tf32: is for CUDA devices, and device=mps: use fp32 or bf16",
    "precision=fp16 optimizer=rmsprop": "precision=fp16: moves that overflow are skipped, which optimizer=rmsprop",
}


@pytest.mark.parametrize("keys", REFUSED)
def test_what_a_device_or_an_optimizer_cannot_do_is_refused(gan_train, keys):
    result = gan_train(*TINY_MLP, *keys.split())
    assert result.code == 2
    assert len(result.errors) == 1
    assert REFUSED[keys] in result.errors[0]
