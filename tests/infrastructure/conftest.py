"""Each environment is synthesized once, without bundling: these tests read templates, not layers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The CDK runs on the Node of this virtual environment, whatever else the machine has; set before it starts.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")

import pytest

from stacks.environments import ENVIRONMENTS, EnvironmentSettings
from tests.infrastructure.synthesized import Synthesized, synthesize


@pytest.fixture(scope="session", params=list(ENVIRONMENTS))
def environment(request: pytest.FixtureRequest) -> EnvironmentSettings:
    """Each environment in turn."""
    return ENVIRONMENTS[request.param]


@pytest.fixture(scope="session")
def application(environment: EnvironmentSettings) -> Synthesized:
    """The templates of each environment in turn."""
    return synthesize(environment)


@pytest.fixture(scope="session")
def local() -> Synthesized:
    """The templates of ``local``, for facts that are the same everywhere."""
    return synthesize(ENVIRONMENTS["local"])


@pytest.fixture(scope="session")
def prod() -> Synthesized:
    """The templates of ``prod``."""
    return synthesize(ENVIRONMENTS["prod"])
