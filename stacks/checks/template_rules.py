"""Runs the rules of our own over the templates of a synth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import jsii
from aws_cdk import (
    IPolicyValidationContext,
    IPolicyValidationPlugin,
    PolicyValidationPluginReport,
    PolicyViolatingResource,
    PolicyViolation,
)

from stacks.checks import (
    alarms_have_runbooks,
    config_delivers,
    data_is_encrypted,
    default_endpoints_closed,
    events_are_never_lost,
    function_logs_expire,
    functions_behind_alias,
    log_groups_expire,
    no_default_security_group,
    no_emulator_addresses,
    no_open_ingress,
    no_secrets,
    no_wildcard_actions,
    no_wildcard_resources,
    queues_are_encrypted,
    roles_passed_to_services,
)

RULES: Final = (
    alarms_have_runbooks.RULE,
    config_delivers.RULE,
    data_is_encrypted.RULE,
    default_endpoints_closed.RULE,
    events_are_never_lost.RULE,
    function_logs_expire.RULE,
    functions_behind_alias.RULE,
    log_groups_expire.RULE,
    no_default_security_group.RULE,
    no_emulator_addresses.RULE,
    no_open_ingress.RULE,
    no_secrets.RULE,
    no_wildcard_actions.RULE,
    no_wildcard_resources.RULE,
    queues_are_encrypted.RULE,
    roles_passed_to_services.RULE,
)


@jsii.implements(IPolicyValidationPlugin)
class TemplateRules:
    """A validation plugin: a finding stops the synth with the rule, its reason and the resource."""

    @property
    def name(self) -> str:
        return "MangaAssist"

    @property
    def version(self) -> str:
        return "1.0.0"

    @property
    def rule_ids(self) -> list[str]:
        return [rule.id for rule in RULES]

    def validate(self, context: IPolicyValidationContext) -> PolicyValidationPluginReport:
        violations = [
            PolicyViolation(
                rule_name=rule.id,
                description=f"{rule.what}, because {rule.why}",
                severity="error",
                violating_resources=[
                    PolicyViolatingResource(
                        resource_logical_id=finding.logical_id,
                        template_path=path,
                        locations=[finding.location],
                    )
                ],
            )
            for path in context.template_paths
            for rule in RULES
            for finding in rule.check(json.loads(Path(path).read_text("utf-8")))
        ]
        return PolicyValidationPluginReport(success=not violations, violations=violations)
