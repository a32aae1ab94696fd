"""What is not the same where a minibatch is computed with in parts: whatever looks at all of its samples."""

from __future__ import annotations

from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_cli import distributed
from gan_cli.config.options import sizes_of
from gan_cli.models.weight_norm import weight_normed
from gan_cli.training.fitting import check
from gan_cli.training.setup import Setup


def told(setup: Setup) -> list[str]:
    """One line about it; none for a run that makes its moves at once."""
    config = setup.config
    if config.accumulate == 1:
        return []
    with distributed.noting() as found:
        check(setup)
    modules = [module for network in setup.game.networks.values() for module in network.modules()]
    looking = ["batch norm"] if any(isinstance(module, _BatchNorm) for module in modules) else []
    looking += ["spectral norm's power iteration"] if any(isinstance(part, _SpectralNorm) for part in modules) else []
    judge = setup.game.networks.get("discriminator")
    looking += ["weight norm's start on data"] if judge is not None and weight_normed(judge) else []
    looking += sorted(found)
    sizes = [str(size // config.accumulate) for size in sizes_of(config.batch_size)]
    parts = f"accumulate={config.accumulate}: parts of {' and '.join(dict.fromkeys(sizes))} samples"
    if not looking:
        return [f"{parts}, of which together every move is that of the whole minibatch"]
    return [f"{parts}: {', '.join(looking)} {'is' if len(looking) == 1 else 'are'} of each part, not of the minibatch"]
