"""What a function is given of the partners' services: where they are, and leave to read what they know us by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.constructs.replaceable import HTTPS, Replaceable
from stacks.environments import PartnerName


class PartnerAccess:
    """Addresses and credentials of some partners, for the functions of one stack."""

    def __init__(self, stack: EnvironmentStack, *, only: Sequence[PartnerName] | None = None) -> None:
        """
        Args:
            stack: gets the parameter ``PartnersUrl``, which replaces the base that settings give.
            only: the partners that are asked; all of them without.
        """
        self._stack = stack
        settings = stack.settings
        self._own = [each for each in settings.partners.own if only is None or each.name in only]
        self._base = Replaceable(
            stack,
            "PartnersUrl",
            what="Base URL of the partners' services",
            pattern=HTTPS,
            setting=settings.partners.url,
        )

    @property
    def variables(self) -> Mapping[str, str]:
        """``PARTNERS_URL`` and ``PARTNERS_CREDENTIAL_SECRET``; and for a partner with an address of its own
        ``PARTNER_<NAME>_URL``, with ``PARTNER_<NAME>_CREDENTIAL_SECRET`` when it takes another credential."""
        variables = {
            "PARTNERS_URL": self._base.value,
            "PARTNERS_CREDENTIAL_SECRET": self._base.with_it(self._arn(self._stack.settings.partners_secret)),
        }
        for address in self._own:
            prefix = f"PARTNER_{address.name.upper()}"
            variables[f"{prefix}_URL"] = address.url
            if address.credential_secret:
                variables[f"{prefix}_CREDENTIAL_SECRET"] = self._arn(address.credential_secret)
        return variables

    def grant(self, function: PythonFunction) -> None:
        """Let ``function`` read the credentials, and use the key they lie under if it is one of the organisation's."""
        settings = self._stack.settings
        names = {settings.partners_secret, *(each.credential_secret for each in self._own)}
        # Secrets Manager adds a hyphen and six characters of its own making to every name.
        function.allow(
            "secretsmanager:GetSecretValue",
            on=[self._arn(f"{name}-??????") for name in sorted(filter(None, names))],
        )
        if settings.partners.credential_key_arn:
            function.allow(
                "kms:Decrypt",
                on=[settings.partners.credential_key_arn],
                conditions={
                    "StringEquals": {"kms:ViaService": f"secretsmanager.{self._stack.region}.amazonaws.com"}
                },
            )

    def _arn(self, name: str) -> str:
        stack = self._stack
        return f"arn:{stack.partition}:secretsmanager:{stack.region}:{stack.account}:secret:{name}"
