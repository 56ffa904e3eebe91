"""An address that settings give and a deployment may replace, for rehearsals and for the local twin.

A parameter instead of a setting, so that the template is the same whoever answers. It is empty unless somebody says
otherwise and its default never changes: the CDK keeps the value that a stack has, so a default taken from the settings
would outlive them.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Aws, CfnCondition, CfnParameter, Fn, Token
from constructs import Construct

HTTPS: Final = r"^(https://[^\s/?#]+\S*|http://[0-9.]+:[0-9]+)?$"
"""Without TLS by a bare IP address only, which no certificate could prove and the twin alone has."""
HOST_AND_PORT: Final = r"^([A-Za-z0-9.-]+:[0-9]{1,5})?$"


class Replaceable:
    """``value`` is the parameter's, else the setting's, else absent."""

    def __init__(self, scope: Construct, id: str, *, what: str, pattern: str, setting: str | None) -> None:
        """
        Args:
            scope: the stack whose parameter it is.
            id: the parameter's name.
            what: what answers there.
            pattern: of the parameter; must allow nothing at all.
            setting: what counts while the parameter is empty.
        """
        parameter = CfnParameter(
            scope,
            id,
            description=f"{what}; empty: what the settings say",
            default="",
            allowed_pattern=pattern,
        )
        self._setting = setting
        self._given = CfnCondition(
            scope,
            f"{id}Given",
            expression=Fn.condition_not(Fn.condition_equals(parameter.value_as_string, "")),
        )
        self.value = self._either(parameter.value_as_string, setting)

    def with_it(self, value: str) -> str:
        """``value`` where there is an address at all, else absent."""
        return value if self._setting else self._either(value, None)

    def _either(self, given: str, otherwise: str | None) -> str:
        return Token.as_string(Fn.condition_if(self._given.logical_id, given, otherwise or Aws.NO_VALUE))
