"""Types and limits of every shipped option: what ``dataset=…``, ``loss=…`` and the others may be told.

Values live in the YAML files of ``conf/``; nothing here imports torch.
"""

from __future__ import annotations

from gan_cli.config.options import datasets, games, judging, loggers
from gan_cli.config.options.base import Choice

SEVERAL = ("penalty", "metrics", "logger")  # groups of which any number can be chosen
SCHEMAS: dict[str, dict[str, type[Choice]]] = {
    "dataset": {
        "digits": datasets.ImageOptions,
        **dict.fromkeys(("mnist", "fashion_mnist", "kmnist", "cifar10"), datasets.WebImageOptions),
        "qmnist": datasets.QMNISTOptions,
        "svhn": datasets.SVHNOptions,
        "stl10": datasets.STL10Options,
        "celeba": datasets.CelebAOptions,
        "lsun": datasets.LSUNOptions,
        "stacked_mnist": datasets.StackedOptions,
        "image_folder": datasets.FolderOptions,
        "ring": datasets.RingOptions,
        "mixture": datasets.MixtureOptions,
        "grid": datasets.GridOptions,
        "gaussian": datasets.GaussianOptions,
        "swiss_roll": datasets.SwissRollOptions,
    },
    "model": {"gan": Choice},
    "architecture": {"mlp": games.MLPOptions, "dcgan": games.DCGANOptions},
    "loss": {
        **dict.fromkeys(
            ("minimax", "non_saturating", "maximum_likelihood", "feature_matching"), games.CrossEntropyOptions
        ),
        **dict.fromkeys(("hinge", "relativistic", "relativistic_average"), Choice),
        "least_squares": games.LeastSquaresOptions,
        "wasserstein": games.WassersteinOptions,
        "f_gan": games.FGANOptions,
    },
    "penalty": {
        **dict.fromkeys(("r1", "r2"), games.PenaltyOptions),
        "gradient_penalty": games.GradientPenaltyOptions,
        "dragan": games.DRAGANOptions,
        "consistency": games.ConsistencyOptions,
    },
    "prior": {"normal": games.PriorOptions, "uniform": games.PriorOptions},
    "optimizer": {
        "adam": games.AdamOptions,
        "adamw": games.AdamOptions,
        "rmsprop": games.RMSpropOptions,
        "sgd": games.SGDOptions,
    },
    "schedule": {
        "constant": games.ScheduleOptions,
        "linear": games.DecayOptions,
        "cosine": games.DecayOptions,
        "exponential": games.ExponentialOptions,
    },
    "extractor": {
        "classifier": judging.ClassifierOptions,
        "inception": judging.InceptionOptions,
        "pixels": Choice,
    },
    "metrics": {
        "frechet": Choice,
        "kernel": judging.KernelOptions,
        "precision_recall": judging.NeighbourOptions,
        "density_coverage": judging.NeighbourOptions,
        "inception_score": judging.InceptionScoreOptions,
        "sliced_wasserstein": judging.SlicedWassersteinOptions,
        "modes": Choice,
        "divergence": judging.DivergenceOptions,
        "parzen": judging.ParzenOptions,
        "discriminator": Choice,
        "two_sample": judging.TwoSampleOptions,
        "memorisation": judging.MemorisationOptions,
    },
    "logger": {"tensorboard": Choice, "wandb": loggers.WandBOptions},
}
