"""The guardrail function: judges an answer before it is final, against the catalogue."""

from __future__ import annotations

from aws_cdk import CfnOutput
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.ingest import IngestStack
from stacks.network import NetworkStack
from stacks.partner_access import PartnerAccess


class GuardrailStack(EnvironmentStack):
    """Its own stack and alias, so that rules ship without touching the chat."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: EnvironmentSettings,
        ingest: IngestStack,
        network: NetworkStack | None,
    ) -> None:
        super().__init__(
            scope, "Guardrail", settings=settings, description="Judges answers before they are final"
        )
        partners = PartnerAccess(self, only=("pricing",))
        self.function = PythonFunction(
            self,
            "Guardrail",
            settings=settings,
            folder="guardrail",
            description="Runs the guardrail stages over an answer",
            timeout_seconds=5,
            memory_mb=1_024,
            # It asks the partner that knows which listings to trust, whose address is public.
            network=network.placement(internet=True) if network else None,
            variables={"CATALOGUE_TABLE": ingest.catalogue.table_name, **partners.variables},
        )
        partners.grant(self.function)
        ingest.grant_catalogue(self.function, "dynamodb:BatchGetItem")
        CfnOutput(self, "GuardrailFunctionName", value=self.function.function.function_name)
