"""AWS's ready-made serving images, as the SageMaker Python SDK 2.257.7 lists their parts (read 2026-11-20).

The assembled tags were not pulled: a first deploy proves them. The Neuron line ends here, because Neuron 2.32 dropped
``torch-neuronx`` from its images; an image and the compiler that made the artefact belong together, so both come from
this page (``TRAINING`` compiles with the toolchain that ``SERVING`` runs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from stacks.environments import EndpointRole, EnvironmentSettings

_HUGGING_FACE: Final = "763104351884"
_TEI: Final[Mapping[str, str]] = MappingProxyType({"us-east-1": "683313688378", "us-west-2": "246618743249"})
"""The text embeddings images lie in another account in each region."""

NEURON_TAG: Final = "2.7.1-transformers4.55.4-neuronx-py310-sdk2.26.0-ubuntu22.04"
TEI_TAG: Final = "2.0.1-tei1.8.2-gpu-py310-cu122-ubuntu22.04"
TRAINING_TAG: Final = "2.5.1-transformers4.49.0-gpu-py311-cu124-ubuntu22.04"

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^:@]+)"
)


class NoImage(ValueError):
    """There is no ready-made image known for this region."""

    def __init__(self, role: str, region: str) -> None:
        super().__init__(
            f"no {role} image known in {region}: set models.{role}.image, or add the region's account"
        )


def serving_image(role: EndpointRole, settings: EnvironmentSettings) -> str:
    """The image that serves ``role``: the environment's own, or AWS's.

    Raises:
        NoImage: the environment names none and AWS's account in its region is not known.
    """
    fleet = getattr(settings.models, role)
    if fleet.image is not None:
        return fleet.image
    if role == "intent":
        return _uri(_HUGGING_FACE, settings.region, "huggingface-pytorch-inference-neuronx", NEURON_TAG)
    if settings.region not in _TEI:
        raise NoImage(role, settings.region)
    return _uri(_TEI[settings.region], settings.region, "tei", TEI_TAG)


def training_image(settings: EnvironmentSettings) -> str:
    """PyTorch and Transformers on a GPU, for training and for evaluation."""
    return _uri(_HUGGING_FACE, settings.region, "huggingface-pytorch-training", TRAINING_TAG)


def repository_arn(image: str) -> str:
    """The ECR repository an image is pulled from."""
    found = _URI.match(image)
    assert found is not None, image
    return f"arn:aws:ecr:{found['region']}:{found['account']}:repository/{found['repository']}"


def _uri(account: str, region: str, repository: str, tag: str) -> str:
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}"
