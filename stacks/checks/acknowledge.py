"""How a finding is lived with: the narrowest construct, the exact finding as cdk-nag writes it, the reason."""

from __future__ import annotations

from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Stack, Token, Validations
from constructs import IConstruct

from stacks.constructs.python_function import PythonFunction


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Live with ``finding`` on ``construct``; where it names the account, write ``<AWS::AccountId>`` for it."""
    account = Stack.of(construct).account
    if not Token.is_unresolved(account):
        finding = finding.replace("<AWS::AccountId>", account)
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def functions_of(app: IConstruct) -> list[PythonFunction]:
    """Every function of ours in ``app``."""
    return [node for node in app.node.find_all() if isinstance(node, PythonFunction)]


def logical_id(construct: IConstruct) -> str:
    """As cdk-nag writes it in a finding: the logical id of the construct's own resource."""
    resource = cast("CfnResource", construct.node.default_child or construct)
    return str(resource.stack.resolve(resource.logical_id))
