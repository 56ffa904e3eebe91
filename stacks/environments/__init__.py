"""Everything that differs between deployments: one frozen, cross-validated settings object per environment.

A value of prod stands in ``prod.py``, and so with the other three; what is not there has the default that stands beside
the setting's meaning, in ``settings/``. ``profiles.py`` derives an environment that costs nothing while idle, and one that
waits in another region.
"""

from __future__ import annotations

from stacks.environments.named import ENVIRONMENTS, UnknownEnvironment, UnknownProfile, environment_named
from stacks.environments.profiles import NoStandby, lean, on_this_machine, standby
from stacks.environments.settings.access import Domains, Edge, HostedZone, Identity, Network, Throttle
from stacks.environments.settings.base import Settings
from stacks.environments.settings.capacity import Capacity, Throughput
from stacks.environments.settings.data import Backups, CacheLimits, DataProtection, SearchCapacity
from stacks.environments.settings.environment import PROFILES, EnvironmentSettings, Profile
from stacks.environments.settings.models import BedrockControls, EndpointFleet, EndpointRole, ModelServing
from stacks.environments.settings.operations import (
    Alerting,
    Audit,
    LogArchive,
    LogRetentionDays,
    Observability,
)
from stacks.environments.settings.services import (
    Catalogue,
    PartnerAddress,
    PartnerName,
    Partners,
    Personalize,
)

__all__ = [
    "ENVIRONMENTS",
    "PROFILES",
    "Alerting",
    "Audit",
    "Backups",
    "BedrockControls",
    "CacheLimits",
    "Capacity",
    "Catalogue",
    "DataProtection",
    "Domains",
    "Edge",
    "EndpointFleet",
    "EndpointRole",
    "EnvironmentSettings",
    "HostedZone",
    "Identity",
    "LogArchive",
    "LogRetentionDays",
    "ModelServing",
    "Network",
    "NoStandby",
    "Observability",
    "PartnerAddress",
    "PartnerName",
    "Partners",
    "Personalize",
    "Profile",
    "SearchCapacity",
    "Settings",
    "Throttle",
    "Throughput",
    "UnknownEnvironment",
    "UnknownProfile",
    "environment_named",
    "lean",
    "on_this_machine",
    "standby",
]
