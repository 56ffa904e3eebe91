"""What the templates are held to: AWS's own rules, ours, and the exceptions with their reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.checks.acknowledgements import acknowledge_delivery, acknowledge_findings
from stacks.checks.template_rules import TemplateRules

if TYPE_CHECKING:
    from stacks.application import MangaAssist
    from stacks.delivery import DeliveryStack


def attach_checks(app: App, stacks: MangaAssist) -> None:
    """Make every synth of ``app`` fail on a finding that has no written reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), TemplateRules())
    acknowledge_findings(stacks)


def attach_delivery_checks(app: App, stack: DeliveryStack) -> None:
    """The same for the stack that delivers."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), TemplateRules())
    acknowledge_delivery(stack)
