"""The features of a small network that is trained on the dataset's own labels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan_cli.config.paths import expanded
from gan_cli.data.samples import Samples, as_input
from gan_cli.errors import reason_of
from gan_cli.metrics.extractors.extractor import Extractor, signature_of
from gan_cli.models.conditioning import error_of
from gan_cli.output import screen, sealed
from gan_cli.output.replacing import replacing
from gan_cli.random import key

log = logging.getLogger(__name__)
BATCH, FEATURES, SIDE = 128, 128, 32
RECIPE = 1  # to be raised with every change of the network or its training, so that older weights are not read


class Shrink(nn.Module):
    """Averages larger pictures down to a shorter side of 32."""

    def forward(self, x: Tensor) -> Tensor:
        return adaptive_avg_pool2d(x, shrunk(*x.shape[2:])) if min(x.shape[2:]) > SIDE else x


def shrunk(height: int, width: int) -> tuple[int, int]:
    """Height and width in the same proportion, the shorter one at most 32."""
    shorter = max(SIDE, min(height, width))
    return round(height * SIDE / shorter), round(width * SIDE / shorter)


def network(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """conv 5×5 ×16, pool, ReLU, conv 5×5 ×32, pool, ReLU, 128 features, ReLU, outputs; pictures (B, *shape)."""
    channels, *sides = shape
    height, width = shrunk(*sides)
    padding = 2 if min(height, width) < 16 else 0
    for _ in range(2):
        height, width = ((side - 4 + 2 * padding) // 2 for side in (height, width))
    layers = nn.Sequential(
        Shrink(),
        *(nn.Conv2d(channels, 16, 5, padding=padding), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(16, 32, 5, padding=padding), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * height * width, FEATURES), nn.ReLU()),
        nn.Linear(FEATURES, outputs),
    )
    return layers.to(memory_format=torch.channels_last)


def unseen_shape(samples: Samples) -> str | None:
    """Why this network cannot take pictures of this shape; None if it can."""
    if not samples.is_image or min(samples.shape[1:]) >= 4:
        return None
    return f"sees pictures of 4 × 4 or larger, not {samples.shape[1]} × {samples.shape[2]}"


class Classifier(Extractor):
    """Learns the labels once for each dataset and seed, and keeps the weights under ``root`` if that can be written.

    Pictures with more channels than the training pictures are classified channel by channel: stacked digits, for which
    it is trained on single ones (``dataset.glyphs()``).

    Distances in its features compare runs on one dataset with each other. They compare with values found elsewhere only
    if the weights are the same, as their hash tells.
    """

    tells_classes = tells_conditions = True

    def __init__(self, root: str, seed: int, epochs: int) -> None:
        self.root, self.seed, self.epochs = root, seed, epochs
        self._network: nn.Sequential | None = None
        self._channels = 0
        self.accuracy: float | None = None
        self.errors: dict[str, float] = {}  # of conditions, on held-out pictures

    def prepare(self, training: Samples, held_out: Callable[[], Samples | None], device: torch.device) -> None:
        """Reads the weights for these samples, or learns them (about half a minute for MNIST on one core)."""
        self.device = device
        if not training.is_image or self._network is not None or self.refusal(training):
            return
        training = training.with_labels()
        self._channels = training.shape[0]
        made = network(training.shape, training.columns)
        path = self._path(training)
        try:
            made.load_state_dict(sealed.read(path))
        except FileNotFoundError:
            self._learn(made, training)
            self._save(made, path)
        except Exception as error:  # torn or altered: learnt again
            log.warning("%s is damaged (%s): the classifier is learnt again", path, reason_of(error))
            self._learn(made, training)
            self._save(made, path)
        self._network = made.to(device).eval().requires_grad_(False)
        unseen = held_out()
        if unseen is None or not len(unseen.labelled):
            return
        if training.conditions:
            self.errors = _errors(self.conditions(unseen.values), unseen)
        else:
            unseen = unseen.with_labels()
            assert unseen.labels is not None
            self.accuracy = self._accuracy(unseen.values, unseen.labels, training)
            if self.accuracy is not None and self.accuracy < 0.9:
                log.warning(
                    "the classifier is right on %.0f %% of held-out pictures: its features say little; "
                    "more extractor.epochs may help",
                    100 * self.accuracy,
                )

    def _accuracy(self, values: np.ndarray, labels: np.ndarray, training: Samples) -> float | None:
        """The accuracy on held-out pictures of the classes that it was trained on."""
        assert training.labels is not None
        met = np.isin(labels, training.labels)
        if not met.all():
            log.warning(
                "%d of %d held-out pictures are of classes without a training picture: the classifier is not asked",
                len(met) - met.sum(),
                len(met),
            )
        if not met.any():
            return None
        return float((self.probabilities(values[met]).argmax(axis=1) == labels[met]).mean())

    def _path(self, training: Samples) -> Path:
        name = f"{training.fingerprint()}-recipe{RECIPE}-seed{self.seed}-epochs{self.epochs}.pt"
        return expanded(self.root, "extractor.root=") / "classifiers" / name

    def _learn(self, made: nn.Sequential, training: Samples) -> None:
        """AdamW with a one-cycle learning rate, on the CPU, so that every machine starts from the same weights."""
        assert training.labels is not None
        steps_per_epoch = -(-len(training) // BATCH)
        generator = np.random.default_rng(key(self.seed, "classifier", "order"))
        labels, kinds = torch.from_numpy(training.labels), [c.kind for c in training.conditions]
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(key(self.seed, "classifier", "init"))
            for module in made.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    module.reset_parameters()
            optimizer = torch.optim.AdamW(made.parameters(), 4e-3)
            total = self.epochs * steps_per_epoch
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=total + 1)
            log.info("learning the labels of %d pictures once, for the features", len(training))
            with screen.progress("classifier", total) as advance:
                for _ in range(self.epochs):
                    for rows in np.array_split(generator.permutation(len(training)), steps_per_epoch):
                        optimizer.zero_grad()
                        error_of(made(as_input(training.values[rows])), labels[rows], kinds).backward()
                        optimizer.step()
                        schedule.step()
                        advance()

    def _save(self, made: nn.Sequential, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as aside, aside.open("wb") as file, sealed.sealing(file) as whole:
                torch.save(made.state_dict(), whole)
        except (OSError, RuntimeError) as error:
            log.warning(
                "the classifier cannot be kept in %s (%s): it is learnt again next time", path.parent, reason_of(error)
            )

    def refusal(self, samples: Samples) -> str | None:
        if samples.classes < 2 and not samples.conditions:
            return "needs labels, which this dataset has not: use extractor=inception or extractor=pixels"
        if shape := unseen_shape(samples):
            return f"extractor=classifier {shape}: use extractor=pixels"
        return None

    def width(self, shape: tuple[int, ...]) -> int:
        return FEATURES

    def features(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, 128), after the last ReLU; (N, C · 128) for stacks."""
        assert self._network is not None
        return self._outputs(values, self._network[:-1]).reshape(len(values), -1)

    def embedded(self, x: Tensor) -> Tensor:
        """The same features of pictures (N, C, H, W) in [−1, 1]."""
        assert self._network is not None
        pictures = x if x.shape[1] == self._channels else x.reshape(-1, 1, *x.shape[2:])
        found: Tensor = self._network[:-1](pictures)
        return found.reshape(len(x), -1)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, classes); (N, C, classes) for stacks."""
        assert self._network is not None
        found = self._outputs(values, nn.Sequential(*self._network, nn.Softmax(dim=1)))
        return found if len(found) == len(values) else found.reshape(len(values), -1, found.shape[1])

    def conditions(self, values: np.ndarray) -> np.ndarray:
        """uint8 (N, C, H, W) → float32 (N, k), if the labels are conditions."""
        assert self._network is not None
        return self._outputs(values, self._network)

    @torch.no_grad()
    def _outputs(self, values: np.ndarray, part: nn.Module) -> np.ndarray:
        if values.shape[1] != self._channels:
            values = values.reshape(-1, 1, *values.shape[2:])
        starts = range(0, len(values), 512)
        return torch.cat([part(as_input(values[i : i + 512], self.device)).cpu() for i in starts]).numpy()

    def provenance(self) -> dict[str, object]:
        if self._network is None:
            return {}
        digest = hashlib.blake2b(digest_size=8)
        for tensor in self._network.state_dict().values():
            digest.update(tensor.cpu().numpy().tobytes())
        return {
            "weights": digest.hexdigest(),
            "seed": self.seed,
            "held_out_accuracy": self.accuracy,
            **({"held_out": self.errors} if self.errors else {}),
            "resize": "average to a shorter side of 32 where larger",
        }

    def signature(self) -> Mapping[str, object] | None:
        return signature_of(f"classifier {RECIPE}", self.provenance())


def _errors(told: np.ndarray, samples: Samples) -> dict[str, float]:
    """Of each attribute the share that is told rightly, of each number the mean absolute error in its own unit."""
    assert samples.labels is not None
    found = {}
    for i, condition in enumerate(samples.conditions):
        if condition.kind == "attribute":
            found[condition.name] = float(((told[:, i] > 0) == (samples.labels[:, i] > 0.5)).mean())
        else:
            found[condition.name] = float(np.abs(told[:, i] - samples.labels[:, i]).mean() * condition.scale)
    return found
