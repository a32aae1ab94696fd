"""Why the minimax game saturates: the generator's gradient as the discriminator gets better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gan_cli import losses
from gan_cli.games.view import as_in_training
from gan_cli.runs.figures import Figure, adversarial
from gan_cli.runs.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from gan_cli.training.setup import Setup

GAMES = {"minimax": "#7a3fa8", "non_saturating": "#2860c8", "maximum_likelihood": "#3c9646"}


class Saturation(Figure):
    """The norm of each game's generator gradient at the same G, D and latents, beside its dependence on D(G(z)).

    dJ(G)/dlogit is −½D for minimax, −½(1 − D) for the non-saturating game and −½D/(1 − D) for maximum likelihood.
    """

    size = (11, 4.2)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.game = adversarial(setup)
        self.losses = {name: losses.build(name) for name in GAMES}
        size = setup.batch_sizes.at(1)  # the same for the whole run
        labels = setup.sampler.labels_of(range(size))
        self.latents = setup.sampler.latents(size, seed=0).to(setup.device)
        self.labels = None if labels is None else labels.to(setup.device)

    def measure(self, images: int) -> dict[str, float]:
        """Gradient norms of the three games, and the mean D(G(z)) they were taken at."""
        generator, discriminator, view = self.game.generator, self.game.discriminator, self.game.view
        parameters = list(generator.parameters())
        for parameter in parameters:
            parameter.requires_grad_(True)
        with as_in_training(generator), as_in_training(discriminator):
            fake = view(generator(self.latents, self.labels), view.strengths(images))
            logits = discriminator(fake, self.labels)
            measured = {"saturation/D": logits.detach().sigmoid().mean().item()}
            for name, loss in self.losses.items():
                gradients = torch.autograd.grad(loss.generator(logits), parameters, retain_graph=True)
                measured[f"saturation/{name}"] = torch.nn.utils.get_total_norm(gradients).item()
        return measured

    def draw(self, records: list[Record], canvas: Canvas) -> dict[str, object]:
        records = [record for record in records if record.get("saturation/D") is not None]
        theory, measured = canvas.subplots(1, 2)
        D = np.linspace(1e-3, 1 - 1e-3, 500)
        slopes = {"minimax": D / 2, "non_saturating": (1 - D) / 2, "maximum_likelihood": D / (1 - D) / 2}
        for name, colour in GAMES.items():
            theory.semilogy(D, slopes[name], color=colour, label=name.replace("_", " "))
            norms = [record[f"saturation/{name}"] for record in records]
            measured.semilogy([r["step"] for r in records], norms, color=colour)
        theory.set(xlabel="D(G(z))", ylabel="|dJ(G)/dlogit|", ylim=(1e-3, 1e2), title="computed")
        theory.legend(frameon=False)
        measured.set(xlabel="steps of D, G held still", ylabel="norm of G's gradient", title="measured")
        confidence = measured.twinx()
        confidence.plot([r["step"] for r in records], [r["saturation/D"] for r in records], color="0.6", ls=":")
        confidence.set(ylabel="mean D(G(z))  (dotted)", ylim=(0, 1))
        keys = ("step", "saturation/D", *(f"saturation/{name}" for name in GAMES))
        return {key.removeprefix("saturation/"): [record[key] for record in records] for key in keys}
