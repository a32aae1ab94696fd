"""The network of the published FID, KID and inception score."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from gan_cli.config.paths import expanded
from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.metrics.extractors.extractor import Extractor, bytes_of, channels_refused, signature_of
from gan_cli.output import screen

BATCH, FEATURES = 32, 2048
RESIZE = "TensorFlow 1 bilinear to 299 × 299, of bytes"


class Inception(Extractor):
    """Inception v3 as the first FID used it (Heusel et al. 2017), by torch-fidelity: 2,048 features, 1,008 classes.

    Args:
        weights: the file of the weights, which is downloaded if it is missing.
    """

    tells_classes, of_labels = True, False

    def __init__(self, weights: str) -> None:
        self.weights = expanded(weights, "extractor.weights=")
        self._network: nn.Module | None = None

    def prepare(self, training: Samples, held_out: Callable[[], Samples | None], device: torch.device) -> None:
        """Reads the weights.

        Raises:
            UserError: if torch-fidelity is missing, or there are no weights and no download.
        """
        self.device = device
        if not training.is_image or self._network is not None:
            return
        try:
            from torch_fidelity import feature_extractor_inceptionv3 as fidelity
        except ModuleNotFoundError as error:
            raise UserError(
                "extractor=inception: needs the package torch-fidelity: pip install 'gan-cli[inception]'"
            ) from error
        if not self.weights.is_file():
            self._download(fidelity.URL_INCEPTION_V3)
        try:
            torch.load(self.weights, map_location="cpu", weights_only=True)  # torch-fidelity would run what is in it
            self._network = fidelity.FeatureExtractorInceptionV3(
                "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(self.weights)
            ).to(device)
        except Exception as error:
            raise UserError(
                f"extractor.weights={self.weights}: not the Inception weights: they are in {fidelity.URL_INCEPTION_V3}"
            ) from error

    def refusal(self, samples: Samples) -> str | None:
        return channels_refused("inception", samples)

    def _download(self, url: str) -> None:
        try:
            self.weights.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(self.weights), progress=screen.interactive())
        except OSError as error:
            raise UserError(
                f"extractor.weights={self.weights}: no such file and no download ({error}): get {url} and put it there"
            ) from error

    def width(self, shape: tuple[int, ...]) -> int:
        return FEATURES

    @torch.no_grad()
    def _outputs(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert self._network is not None
        features, logits = [], []
        with screen.progress("inception", -(-len(values) // BATCH)) as advance:
            for start in range(0, len(values), BATCH):
                pictures = bytes_of(values[start : start + BATCH]).round().byte().to(self.device)
                found = self._network(pictures.expand(-1, 3, -1, -1))
                features.append(found[0].cpu())
                logits.append(found[1].cpu())
                advance()
        return torch.cat(features).numpy(), torch.cat(logits).softmax(dim=1).numpy()

    def features(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, 2048), of the last pooling."""
        return self._outputs(values)[0]

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, 1008), without the last layer's bias, as in the published score."""
        return self._outputs(values)[1]

    def provenance(self) -> dict[str, object]:
        if self._network is None:
            return {}
        return {"weights": hashlib.sha256(self.weights.read_bytes()).hexdigest()[:16], "resize": RESIZE}

    def signature(self) -> Mapping[str, object] | None:
        return signature_of("inception", self.provenance())
