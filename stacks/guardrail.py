"""The guardrail function: judges an answer before it is final, against the catalogue."""

from __future__ import annotations

from aws_cdk import CfnOutput
from constructs import Construct

from stacks.constructs.environment_stack import EnvironmentStack
from stacks.constructs.python_function import PythonFunction
from stacks.environments import EnvironmentSettings
from stacks.ingest import IngestStack
from stacks.network import NetworkStack


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
        self.function = PythonFunction(
            self,
            "Guardrail",
            settings=settings,
            folder="guardrail",
            description="Runs the guardrail stages over an answer",
            timeout_seconds=5,
            memory_mb=1_024,
            network=network.placement() if network else None,
            variables={"CATALOGUE_TABLE": ingest.catalogue.table_name},
        )
        ingest.grant_catalogue(self.function, "dynamodb:BatchGetItem")
        CfnOutput(self, "GuardrailFunctionName", value=self.function.function.function_name)
