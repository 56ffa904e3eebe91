"""What an organisation brings is read from its file, checked, and not needed to render templates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App

from stacks.application import build
from stacks.checks import attach_checks
from stacks.deployment import FILE, UnusableDeployment, deployed
from stacks.environments import ENVIRONMENTS
from tests.infrastructure.synthesized import ROOT

EXAMPLE = (ROOT / "deployment.example.toml").read_text("utf-8")


def _file(folder: Path, text: str) -> Path:
    path = folder / "deployment.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.req("IAC-1")
def test_without_a_file_every_environment_is_as_the_repository_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.deployment.FILE", tmp_path / "none.toml")
    for settings in ENVIRONMENTS.values():
        assert deployed(settings) is settings
        assert settings.account is None


def test_the_file_is_not_tracked() -> None:
    assert FILE == ROOT / "deployment.toml"
    assert "deployment.toml" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_the_example_gives_prod_its_account_and_names(tmp_path: Path) -> None:
    prod = deployed(ENVIRONMENTS["prod"], _file(tmp_path, EXAMPLE))
    assert prod.account == "111122223333"
    assert prod.alerting.email == "on-call@shop.example"
    assert prod.alerting.runbook_base == ENVIRONMENTS["prod"].alerting.runbook_base
    assert prod.domains is not None
    assert prod.domains.page == "chat.shop.example"
    assert prod.edge is not None
    assert ENVIRONMENTS["prod"].edge is not None
    assert prod.edge.model_copy(update={"domains": None}) == ENVIRONMENTS["prod"].edge


def test_the_example_gives_prod_its_catalogue_partners_and_campaigns(tmp_path: Path) -> None:
    known, prod = ENVIRONMENTS["prod"], deployed(ENVIRONMENTS["prod"], _file(tmp_path, EXAMPLE))
    assert prod.catalogue is not None
    assert prod.catalogue_namespace == "internal.shop.example"
    assert prod.catalogue.model_copy(update={"namespace": None, "certificate_arn": None}) == known.catalogue
    assert prod.partners_secret == "shop/assistant"
    assert known.partners_secret == "mangaassist-prod-partners"
    assert prod.partners.urls == (
        "https://partners.shop.example",
        "https://orders.shop.example/assistant",
    )
    assert prod.personalize.similar_campaign == "similar-titles"


def test_other_environments_take_their_own_section_alone(tmp_path: Path) -> None:
    path = _file(tmp_path, EXAMPLE)
    assert deployed(ENVIRONMENTS["dev"], path).account == "444455556666"
    assert deployed(ENVIRONMENTS["dev"], path).domains is None
    assert deployed(ENVIRONMENTS["staging"], path) == ENVIRONMENTS["staging"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[prod]", "[production]", "no environment is called production"),
        ('"111122223333"', '"1111"', "account"),
        ('account = "111122223333"', 'acount = "111122223333"', "acount"),
        (
            "arn:aws:acm:us-east-1:111122223333:certificate/1",
            "arn:aws:acm:eu-west-1:111122223333:certificate/1",
            "page_cert",
        ),
        (
            "arn:aws:acm:us-east-1:111122223333:certificate/6",
            "arn:aws:acm:eu-west-1:111122223333:certificate/6",
            "API Gateway looks",
        ),
        (
            "us-east-1:111122223333:certificate/6",
            "us-east-1:999999999999:certificate/6",
            "certificates and account differ",
        ),
        ('"ws-origin.chat.shop.example"', '"api-origin.chat.shop.example"', "three different names"),
        ('name = "shop.example"', 'name = "another.example"', "does not hold all"),
        ('"chat.shop.example"  ', '"https://chat.shop.example"  ', "page"),
        ('"on-call@shop.example"', '"nobody"', "email"),
        ("[dev]", "[local.domains]\n[dev]", "page"),
        ('"https://partners', '"http://partners', "not https"),
        ('"https://orders', '"http://orders', "not https"),
        ('name = "orders"', 'name = "weather"', "name"),
        ('namespace = "internal.shop.example"', "", "nobody signs"),
        (
            "us-east-1:111122223333:certificate/7",
            "us-east-1:999999999999:certificate/7",
            "is of 999999999999",
        ),
        ("[prod]", "[prod", "at line"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in EXAMPLE
    path = _file(tmp_path, EXAMPLE.replace(old, new))
    name = "local" if "local" in new else "prod"
    with pytest.raises(UnusableDeployment, match=problem) as refused:
        deployed(ENVIRONMENTS[name], path)
    assert str(path) in str(refused.value)


@pytest.mark.req("IAC-5")
def test_prod_with_an_account_and_names_passes_every_check(tmp_path: Path) -> None:
    """Findings name the account where it is known, and so must what we acknowledge."""
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = App(context={**flags, "aws:cdk:bundling-stacks": []}, outdir=str(tmp_path / "out"))
    attach_checks(app, build(app, deployed(ENVIRONMENTS["prod"], _file(tmp_path, EXAMPLE))))
    app.synth()
    report = (tmp_path / "out" / "validation-report.json").read_text("utf-8")
    assert {plugin["conclusion"] for plugin in json.loads(report)["pluginReports"]} == {"success"}
    assert "MangaAssist-DefaultEndpointsClosed" not in report, "closed, and not excused"


def test_names_need_an_edge_to_serve_them(tmp_path: Path) -> None:
    names = EXAMPLE[: EXAMPLE.index("[prod.catalogue]")]
    path = _file(tmp_path, names.replace("prod", "local"))
    with pytest.raises(UnusableDeployment, match="no edge"):
        deployed(ENVIRONMENTS["local"], path)


def test_a_catalogue_needs_a_service(tmp_path: Path) -> None:
    path = _file(tmp_path, '[dev.catalogue]\nnamespace = "internal.shop.example"\n')
    with pytest.raises(UnusableDeployment, match="dev runs no catalogue service"):
        deployed(ENVIRONMENTS["dev"], path)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UnusableDeployment, match="missing"):
        deployed(ENVIRONMENTS["dev"], tmp_path / "missing.toml")
