"""Gap: ``Fn::GetAtt VPC.CidrBlock`` has no answer, and every interface endpoint of CDK asks for it."""

from __future__ import annotations

from tools.twin.emulator.patches._provisioners import after


def apply() -> None:
    """Answer the attribute from the property."""
    after(
        "AWS::EC2::VPC",
        lambda vpc, attributes, properties: attributes.update(CidrBlock=properties["CidrBlock"]),
    )
