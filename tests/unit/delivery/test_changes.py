"""The summary of a change: what is grave comes first, code is only code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.delivery import changes

TABLE = {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {"TableName": "a", "BillingMode": "x"}}
ROLE = {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": {"Statement": []}}}
CODE = {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"S3Bucket": "b", "S3Key": "1"}}}


@pytest.fixture
def compared(tmp_path: Path) -> Any:
    def compare(base: dict[str, Any], head: dict[str, Any]) -> list[changes.Change]:
        for name, resources in (("base", base), ("head", head)):
            folder = tmp_path / name / "prod"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "Chat.template.json").write_text(json.dumps({"Resources": resources}))
        return changes.between(tmp_path / "base", tmp_path / "head")

    return compare


def with_(body: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return body | {"Properties": body["Properties"] | properties}


def test_the_same_templates_are_no_change(compared: Any) -> None:
    assert compared({"T": TABLE}, {"T": TABLE}) == []
    assert "No template changes" in changes.markdown([])


@pytest.mark.req("IAC-6")
@pytest.mark.parametrize(
    ("head", "kind", "what"),
    [
        ({"T": with_(TABLE, TableName="b")}, "replaced", ("TableName",)),
        ({}, "removed", ()),
        ({"T": TABLE | {"Type": "AWS::DynamoDB::Table"}}, "replaced", ("was AWS::DynamoDB::GlobalTable",)),
    ],
)
def test_lost_data_is_grave(compared: Any, head: dict[str, Any], kind: str, what: tuple[str, ...]) -> None:
    (change,) = compared({"T": TABLE}, head)
    assert (change.kind, change.what, change.is_grave) == (kind, what, True)
    text = changes.markdown([change])
    assert text.index("Data at risk") < text.index("| stack |")


def test_a_setting_and_new_code_are_neither_grave_nor_about_access(compared: Any) -> None:
    setting, code = compared(
        {"T": TABLE, "F": CODE},
        {"T": with_(TABLE, BillingMode="y"), "F": with_(CODE, Code={"S3Bucket": "b", "S3Key": "2"})},
    )[::-1]
    assert (setting.kind, setting.what, setting.is_grave) == ("changed", ("BillingMode",), False)
    assert (code.kind, code.what, code.is_about_access) == ("changed", ("code",), False)


def test_access_has_a_place_of_its_own(compared: Any) -> None:
    (change,) = compared({}, {"P": ROLE})
    assert (change.kind, change.is_about_access) == ("added", True)
    assert "**Access**" in changes.markdown([change])


@pytest.mark.parametrize(
    ("head", "status"), [({"T": TABLE}, 0), ({"T": with_(TABLE, BillingMode="y")}, 0), ({}, 1)]
)
def test_the_exit_status_asks_for_a_second_look(
    compared: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    head: dict[str, Any],
    status: int,
) -> None:
    compared({"T": TABLE}, head)
    monkeypatch.setattr("sys.argv", ["changes", str(tmp_path / "base"), str(tmp_path / "head")])
    assert changes.main() == status
    assert "### Infrastructure" in capsys.readouterr().out


def test_without_templates_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["changes", str(tmp_path), str(tmp_path)])
    assert changes.main() == 2
    assert "make synth" in capsys.readouterr().err
