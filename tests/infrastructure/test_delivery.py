"""The pipeline and the roles that deploy, and the same way on GitHub Actions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from aws_cdk import App

from stacks.checks import template_rules
from stacks.delivery import (
    DELIVERY,
    DEPLOYING_ROLES,
    KEY_ALIAS,
    LOOKUP,
    PROD_ALARM,
    TARGETS,
    build_delivery,
    regions,
)
from stacks.environments import ENVIRONMENTS
from tests.infrastructure.synthesized import ROOT, Synthesized, synthesize

WORKFLOWS = ROOT / ".github" / "workflows"
HERE = "999999999999"
ACCOUNTS = {"dev": "111111111111", "staging": "222222222222", "prod": "333333333333"}
PARAMETERS = {
    **{f"{target.capitalize()}Account": account for target, account in ACCOUNTS.items()},
    "ConnectionArn": "CONNECTION",
    "Repository": "shop/manga",
}
PSEUDO = {"AWS::AccountId": HERE, "AWS::Partition": "aws", "AWS::Region": "us-east-1"}
STEPS = {
    "dev": ("deploy", "smoke"),
    "staging": ("deploy", "smoke"),
    "prod": ("show", "deploy", "smoke", "watch"),
}

Statements = set[tuple[str, str, str]]
"""Action, resource, and the condition as JSON; every statement of these roles allows."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = App(context=flags)
    stack = build_delivery(app)
    return app.synth().get_stack_by_name(stack.stack_name).template


@pytest.fixture(scope="module")
def stages(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (pipeline,) = of_type(template, "AWS::CodePipeline::Pipeline").values()
    return {stage["Name"]: stage for stage in pipeline["Properties"]["Stages"]}


def of_type(template: dict[str, Any], type: str) -> dict[str, Any]:
    return {name: body for name, body in template["Resources"].items() if body["Type"] == type}


def project(template: dict[str, Any], name: str) -> dict[str, Any]:
    for body in of_type(template, "AWS::CodeBuild::Project").values():
        if body["Properties"]["Name"] == f"mangaassist-{name}":
            return body["Properties"]
    raise AssertionError(f"no project {name}")


def specification(template: dict[str, Any], name: str) -> dict[str, Any]:
    return json.loads(project(template, name)["Source"]["BuildSpec"])


def commands(template: dict[str, Any], name: str) -> list[str]:
    return specification(template, name)["phases"]["build"]["commands"]


def only(template: dict[str, Any], type: str, start: str) -> str:
    (found,) = [name for name in of_type(template, type) if re.fullmatch(f"{start}[0-9A-F]{{8}}", name)]
    return found


def resolved(template: dict[str, Any], value: Any) -> str:
    """As CloudFormation would make it of ``PARAMETERS``; references to resources stay, in readable form."""
    match value:
        case str():
            return value
        case {"Ref": name} if name in PSEUDO:
            return PSEUDO[name]
        case {"Ref": name} if name in template["Parameters"]:
            return PARAMETERS.get(name, template["Parameters"][name].get("Default"))
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [between, parts]}:
            return between.join(resolved(template, part) for part in parts)
        case {"Fn::If": [condition, yes, no]}:
            left, right = template["Conditions"][condition]["Fn::Equals"]
            return resolved(template, yes if resolved(template, left) == resolved(template, right) else no)
    raise AssertionError(f"unexpected value in a template: {value}")


def statements(template: dict[str, Any], role: str) -> Statements:
    """Everything the role with this logical id, but for its hash, may do."""
    reference = {"Ref": only(template, "AWS::IAM::Role", role)}
    properties = template["Resources"][reference["Ref"]]["Properties"]
    assert not properties.keys() & {"ManagedPolicyArns", "Policies"}, "permissions that nobody looked at"
    found: Statements = set()
    for policy in of_type(template, "AWS::IAM::Policy").values():
        if reference not in policy["Properties"]["Roles"]:
            continue
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            condition = {
                operator: {key: resolved(template, value) for key, value in keys.items()}
                for operator, keys in statement.get("Condition", {}).items()
            }
            found |= {
                (action, resolved(template, resource), json.dumps(condition))
                for action in listed(statement["Action"])
                for resource in listed(statement["Resource"])
            }
    return found


def assumed(template: dict[str, Any], role: str) -> set[str]:
    return {resource for action, resource, _ in statements(template, role) if action == "sts:AssumeRole"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def bootstrap_roles(target: str, *roles: str, places: list[str] | None = None) -> set[str]:
    account = ACCOUNTS[target]
    return {
        f"arn:aws:iam::{account}:role/cdk-hnb659fds-{role}-role-{account}-{region}"
        for role in roles
        for region in places or regions(ENVIRONMENTS[target])
    }


def roles_of_manifest(environment: Synthesized, account: str) -> tuple[set[str], set[str]]:
    """What ``cdk deploy`` of this assembly takes on, and what ``cdk diff`` does."""

    def concrete(arn: str) -> str:
        return arn.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", account)

    def looked_up() -> Iterator[str]:
        for artifact in artifacts:
            if artifact["type"] == "aws:cloudformation:stack":
                yield concrete(artifact["properties"]["lookupRole"]["arn"])

    def deploying() -> Iterator[str]:
        for artifact in artifacts:
            if artifact["type"] == "aws:cloudformation:stack":
                yield concrete(artifact["properties"]["assumeRoleArn"])
            if artifact["type"] == "cdk:asset-manifest":
                manifest = json.loads(
                    (environment.directory / artifact["properties"]["file"]).read_text("utf-8")
                )
                for asset in (*manifest["files"].values(), *manifest["dockerImages"].values()):
                    for destination in asset["destinations"].values():
                        yield concrete(destination["assumeRoleArn"])

    artifacts = json.loads((environment.directory / "manifest.json").read_text("utf-8"))["artifacts"].values()
    reading = set(looked_up())
    return set(deploying()) | reading, reading


@pytest.mark.req("IAC-3")
def test_the_stages_come_in_order_and_prod_waits_for_a_person(stages: dict[str, dict[str, Any]]) -> None:
    assert {
        name: [action["Name"] for action in sorted(stage["Actions"], key=lambda action: action["RunOrder"])]
        for name, stage in stages.items()
    } == {
        "Source": ["Checkout"],
        "Verify": ["Gate"],
        "Dev": ["Deploy", "Smoke"],
        "Staging": ["Deploy", "Smoke"],
        "Review": ["Show", "Approve"],
        "Prod": ["Deploy", "Smoke", "Watch"],
    }
    assert list(stages) == ["Source", "Verify", "Dev", "Staging", "Review", "Prod"]
    assert stages["Review"]["Actions"][1]["ActionTypeId"]["Category"] == "Approval"
    for stage in stages.values():
        assert len({action["RunOrder"] for action in stage["Actions"]}) == len(stage["Actions"])


@pytest.mark.req("IAC-3")
def test_a_release_that_hurts_is_rolled_back_and_nobody_is_asked_for_it(
    stages: dict[str, dict[str, Any]],
) -> None:
    """Putting back runs the stage again with the release before: an approval in it would wait for a person."""
    rolled_back = {name for name, stage in stages.items() if stage.get("OnFailure") == {"Result": "ROLLBACK"}}
    assert rolled_back == {"Dev", "Staging", "Prod"}
    for name in rolled_back:
        assert {action["ActionTypeId"]["Category"] for action in stages[name]["Actions"]} == {"Build"}


@pytest.mark.req("IAC-3")
def test_the_alarm_is_watched_where_it_is(
    template: dict[str, Any], stages: dict[str, dict[str, Any]], prod: Synthesized
) -> None:
    """In prod's own account, from the start of the deploy, as the last thing that can fail prod's stage."""
    (alarm,) = [
        body
        for body in prod.resources("AWS::CloudWatch::CompositeAlarm").values()
        if body["Properties"]["AlarmName"] == PROD_ALARM
    ]
    assert alarm["Properties"]["AlarmRule"]
    assert commands(template, "prodwatch")[-1] == (
        f'python -m tools.delivery.release watch prod --alarm {PROD_ALARM} --since "$DEPLOYED_AT"'
    )
    assert assumed(template, "ProdWatchRole") == bootstrap_roles(
        "prod", LOOKUP, places=[ENVIRONMENTS["prod"].region]
    )
    assert project(template, "prodwatch")["TimeoutInMinutes"] > 20
    deploy, _, watch = stages["Prod"]["Actions"]
    assert variables(watch) == {"DEPLOYED_AT": f"#{{{deploy['Namespace']}.DEPLOYED_AT}}"}
    spec = specification(template, "proddeploy")
    assert spec["env"]["exported-variables"] == ["DEPLOYED_AT"]
    taken, put = (
        index_of(spec["phases"]["build"]["commands"], text) for text in ("DEPLOYED_AT=", "cdk --app")
    )
    assert taken < put
    assert "OnSuccess" not in stages["Prod"], "CodePipeline's own alarm rule looks into its own account"


def variables(action: dict[str, Any]) -> dict[str, str]:
    given = json.loads(action["Configuration"].get("EnvironmentVariables", "[]"))
    assert all(variable["type"] == "PLAINTEXT" for variable in given)
    return {variable["name"]: variable["value"] for variable in given}


def index_of(lines: list[str], text: str) -> int:
    (found,) = [index for index, line in enumerate(lines) if text in line]
    return found


@pytest.mark.req("IAC-3")
@pytest.mark.parametrize("target", TARGETS)
def test_what_is_deployed_is_what_was_verified_and_shown(
    template: dict[str, Any], stages: dict[str, dict[str, Any]], target: str
) -> None:
    (gate,) = stages["Verify"]["Actions"]
    digest = f"#{{{gate['Namespace']}.{target.upper()}_DIGEST}}"
    verify = specification(template, "verify")
    assert f"{target.upper()}_DIGEST" in verify["env"]["exported-variables"]
    taken = index_of(verify["phases"]["build"]["commands"], f"{target.upper()}_DIGEST=")
    assert f"release digest {target})" in verify["phases"]["build"]["commands"][taken]

    (deploy,) = [action for action in stages[target.capitalize()]["Actions"] if action["Name"] == "Deploy"]
    assert variables(deploy) == {"DIGEST": digest}
    steps = commands(template, f"{target}deploy")
    proven = index_of(steps, f'release verify {target} "$DIGEST"')
    assert proven < index_of(steps, f"cdk --app cdk.out/delivered/{target} deploy --all")
    for stage in list(stages.values())[2:]:
        for action in stage["Actions"]:
            if action["ActionTypeId"]["Category"] == "Build":
                assert action["InputArtifacts"] == [{"Name": "verified"}]


@pytest.mark.req("IAC-3")
def test_what_is_approved_is_the_assembly_by_its_digest(
    template: dict[str, Any], stages: dict[str, dict[str, Any]]
) -> None:
    show, approve = stages["Review"]["Actions"]
    assert variables(show) == {"DIGEST": "#{verified.PROD_DIGEST}"}
    assert "#{verified.PROD_DIGEST}" in approve["Configuration"]["CustomData"]
    assert commands(template, "prodshow")[-2:] == [
        'python -m tools.delivery.release show prod "$DIGEST"',
        "node_modules/.bin/cdk --app cdk.out/delivered/prod diff --all --method template",
    ]
    everything = json.dumps(template)
    assert "prepare-change-set" not in everything, (
        "a change set of a stack whose imports are not there yet fails"
    )
    assert "|| true" not in everything


def test_the_gate_runs_before_anything_of_the_organisation_is_there(template: dict[str, Any]) -> None:
    steps = commands(template, "verify")
    assert steps[:4] == ["make setup", "make check", "make test", "make requirements"]
    fetched = index_of(steps, "aws ssm get-parameter")
    assert steps[fetched].endswith("> deployment.toml")
    assert '"$DEPLOYMENT_DOCUMENT" --with-decryption' in steps[fetched]
    assert fetched < index_of(steps, "python -m tools.synth --delivered") < index_of(steps, "PROD_DIGEST=")
    assert project(template, "verify")["Environment"]["EnvironmentVariables"] == [
        {"Name": "DEPLOYMENT_DOCUMENT", "Value": {"Ref": "DeploymentDocument"}}
    ]


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("target", TARGETS)
def test_whoever_deploys_may_take_on_every_role_of_the_manifest_and_no_other(
    template: dict[str, Any], target: str
) -> None:
    deploying, reading = roles_of_manifest(synthesize(ENVIRONMENTS[target]), ACCOUNTS[target])
    assert assumed(template, f"{target.capitalize()}DeployRole") == deploying
    assert assumed(template, f"GitHub{target.capitalize()}") == deploying
    assert reading <= assumed(template, "GitHubDelivery")
    if target == "prod":
        assert assumed(template, "ProdShowRole") == reading
        assert any(role.endswith("-us-west-2") for role in deploying), "the replica has roles of its own"


def test_an_environment_elsewhere_has_roles_in_the_region_of_its_edge_too() -> None:
    elsewhere = ENVIRONMENTS["dev"].model_copy(update={"region": "eu-west-1"})
    deploying, _ = roles_of_manifest(synthesize(elsewhere), ACCOUNTS["dev"])
    assert deploying == {
        f"arn:aws:iam::{ACCOUNTS['dev']}:role/cdk-hnb659fds-{role}-role-{ACCOUNTS['dev']}-{region}"
        for role in DEPLOYING_ROLES
        for region in regions(elsewhere)
    }
    assert regions(elsewhere) == ["eu-west-1", "us-east-1"]


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize(
    ("step", "target"),
    [("verify", None), *((step, target) for target, steps in STEPS.items() for step in steps)],
)
def test_a_project_may_do_this_and_nothing_else(
    template: dict[str, Any], step: str, target: str | None
) -> None:
    name = f"{(target or '').capitalize()}{step.capitalize()}"
    bucket, key = only(template, "AWS::S3::Bucket", "Artefacts"), only(template, "AWS::KMS::Key", "Key")
    expected = {
        *(
            (f"logs:{action}", f"${{{only(template, 'AWS::Logs::LogGroup', f'{name}Logs')}.Arn}}", "{}")
            for action in ("CreateLogStream", "PutLogEvents")
        ),
        *(
            (f"s3:{action}", f"${{{bucket}.Arn}}/*", "{}")
            for action in ("GetObject", "GetObjectVersion", "PutObject")
        ),
        *((f"kms:{action}", f"${{{key}.Arn}}", "{}") for action in ("Decrypt", "Encrypt", "GenerateDataKey")),
        *(
            (f"{service}:UseConnection", "CONNECTION", "{}")
            for service in ("codestar-connections", "codeconnections")
        ),
    }
    if target is None:
        expected.add(
            ("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{HERE}:parameter/mangaassist/deployment", "{}")
        )
    else:
        roles = {
            "deploy": bootstrap_roles(target, *DEPLOYING_ROLES),
            "show": bootstrap_roles(target, LOOKUP),
        }.get(step, bootstrap_roles(target, LOOKUP, places=[ENVIRONMENTS[target].region]))
        expected |= {("sts:AssumeRole", role, "{}") for role in roles}
    assert statements(template, f"{name}Role") == expected


def test_every_project_is_looked_at(template: dict[str, Any]) -> None:
    names = {body["Properties"]["Name"] for body in of_type(template, "AWS::CodeBuild::Project").values()}
    assert names == {
        "mangaassist-verify",
        *(f"mangaassist-{target}{step}" for target, steps in STEPS.items() for step in steps),
    }
    key = {"Fn::GetAtt": [only(template, "AWS::KMS::Key", "Key"), "Arn"]}
    for body in of_type(template, "AWS::CodeBuild::Project").values():
        assert body["Properties"]["EncryptionKey"] == key


@pytest.mark.req("SEC-4")
def test_the_pipeline_may_start_its_projects_and_move_its_artefacts(template: dict[str, Any]) -> None:
    bucket, key = only(template, "AWS::S3::Bucket", "Artefacts"), only(template, "AWS::KMS::Key", "Key")
    projects = of_type(template, "AWS::CodeBuild::Project")
    assert statements(template, "PipelineRole") == {
        *(
            (f"{service}:UseConnection", "CONNECTION", "{}")
            for service in ("codestar-connections", "codeconnections")
        ),
        *(
            (f"codebuild:{action}", f"${{{name}.Arn}}", "{}")
            for action in ("BatchGetBuilds", "StartBuild")
            for name in projects
        ),
        *(
            (f"s3:{action}", f"${{{bucket}.Arn}}/*", "{}")
            for action in ("GetObject", "GetObjectVersion", "PutObject")
        ),
        *((f"s3:{action}", f"${{{bucket}.Arn}}", "{}") for action in ("GetBucketVersioning", "ListBucket")),
        *(
            (f"kms:{action}", f"${{{key}.Arn}}", "{}")
            for action in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")
        ),
    }


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("target", TARGETS)
def test_github_may_deploy_an_environment_and_nothing_else(template: dict[str, Any], target: str) -> None:
    assert statements(template, f"GitHub{target.capitalize()}") == {
        ("sts:AssumeRole", role, "{}") for role in bootstrap_roles(target, *DEPLOYING_ROLES)
    }


@pytest.mark.req("SEC-4")
def test_github_may_read_the_document_and_look_before_anybody_is_asked(template: dict[str, Any]) -> None:
    document = f"arn:aws:ssm:us-east-1:{HERE}:parameter/mangaassist/deployment"
    condition = json.dumps({"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": document}})
    assert statements(template, "GitHubDelivery") == {
        *(("sts:AssumeRole", role, "{}") for target in TARGETS for role in bootstrap_roles(target, LOOKUP)),
        ("ssm:GetParameter", document, "{}"),
        ("kms:Decrypt", f"${{{only(template, 'AWS::KMS::Key', 'Key')}.Arn}}", condition),
    }
    (alias,) = of_type(template, "AWS::KMS::Alias").values()
    assert alias["Properties"]["AliasName"] == KEY_ALIAS


def test_an_account_that_is_not_named_is_this_one(
    template: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PARAMETERS, "ProdAccount", "")
    found = assumed(template, "GitHubProd")
    assert found
    assert all(f":{HERE}:role/" in role and f"-role-{HERE}-" in role for role in found)


@pytest.mark.parametrize("environment", [*TARGETS, DELIVERY])
def test_a_github_role_trusts_one_environment_of_one_repository(
    template: dict[str, Any], environment: str
) -> None:
    role = template["Resources"][only(template, "AWS::IAM::Role", f"GitHub{environment.capitalize()}")]
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert list(statement["Condition"]) == ["StringEquals"]
    equals = {key: resolved(template, value) for key, value in statement["Condition"]["StringEquals"].items()}
    assert equals == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": f"repo:shop/manga:environment:{environment}",
    }


def test_our_own_rules_hold_here_too(template: dict[str, Any]) -> None:
    assert [finding for rule in template_rules.RULES for finding in rule.check(template)] == []


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return yaml.safe_load((WORKFLOWS / "deliver.yml").read_text("utf-8"))


@pytest.fixture(scope="module")
def one_environment() -> dict[str, Any]:
    return yaml.safe_load((WORKFLOWS / "deliver-environment.yml").read_text("utf-8"))


def run_of(job: dict[str, Any], text: str) -> int:
    (found,) = [index for index, step in enumerate(job["steps"]) if text in step.get("run", "")]
    return found


@pytest.mark.req("IAC-3")
def test_github_delivers_to_the_same_environments_in_the_same_order(workflow: dict[str, Any]) -> None:
    jobs = workflow["jobs"]
    assert list(jobs) == ["gate", "synthesize", *TARGETS]
    before = "synthesize"
    for target in TARGETS:
        assert before in listed(jobs[target]["needs"])
        assert jobs[target]["if"] == f"${{{{ !cancelled() && needs.{before}.result == 'success' }}}}"
        assert jobs[target]["uses"] == "./.github/workflows/deliver-environment.yml"
        assert jobs[target]["with"] == {
            "environment": target,
            "tested": "${{ needs.synthesize.outputs.tested }}",
            "digest": f"${{{{ needs.synthesize.outputs.{target} }}}}",
        }
        assert jobs[target]["permissions"] == {"actions": "read", "contents": "read", "id-token": "write"}
        before = target
    assert workflow["concurrency"] == {"group": "deliver", "cancel-in-progress": False}


@pytest.mark.req("IAC-3")
def test_github_delivers_only_a_commit_that_passed_the_whole_gate(
    workflow: dict[str, Any], one_environment: dict[str, Any]
) -> None:
    tested = "${{ github.event_name == 'workflow_run' && github.event.workflow_run.head_sha || github.sha }}"
    assert workflow["env"]["TESTED"] == tested
    gate, synthesize_ = workflow["jobs"]["gate"], workflow["jobs"]["synthesize"]
    assert gate["uses"] == "./.github/workflows/ci.yml"
    assert "github.event_name == 'workflow_dispatch' && github.ref == 'refs/heads/main'" in gate["if"]
    assert synthesize_["needs"] == "gate"
    condition = " ".join(synthesize_["if"].split())
    assert condition == (
        "${{ !cancelled() && vars.DEPLOYMENT_PARAMETER != '' && (needs.gate.result == 'success' || "
        "(github.event_name == 'workflow_run' && github.event.workflow_run.conclusion == 'success' && "
        "github.event.workflow_run.event == 'push' && github.event.workflow_run.head_branch == 'main' && "
        "github.event.workflow_run.head_repository.full_name == github.repository)) }}"
    )
    assert synthesize_["outputs"]["tested"] == "${{ env.TESTED }}"
    checkouts = {
        name: [
            step["with"]["ref"]
            for step in job["steps"]
            if step.get("uses", "").startswith("actions/checkout")
        ]
        for name, job in {"synthesize": synthesize_, **one_environment["jobs"]}.items()
    }
    assert checkouts == {
        "synthesize": ["${{ env.TESTED }}"],
        "show": ["${{ inputs.tested }}"],
        "deploy": ["${{ inputs.tested }}"],
    }
    ci = yaml.safe_load((WORKFLOWS / "ci.yml").read_text("utf-8"))
    assert "workflow_call" in ci[True], "YAML reads the key `on` as true"
    runs = [step["run"] for step in ci["jobs"]["gate"]["steps"] if "run" in step]
    assert runs == ["make setup", "make check", "make test", "make requirements"]


@pytest.mark.req("IAC-3")
def test_github_shows_before_it_asks_and_deploys_what_it_showed(one_environment: dict[str, Any]) -> None:
    show, deploy = one_environment["jobs"]["show"], one_environment["jobs"]["deploy"]
    assert (show["environment"], deploy["environment"]) == (DELIVERY, "${{ inputs.environment }}")
    assert deploy["needs"] == "show"
    assert deploy["if"] == "${{ !cancelled() && needs.show.result == 'success' }}"
    assert one_environment["env"] == {
        "ENVIRONMENT": "${{ inputs.environment }}",
        "DIGEST": "${{ inputs.digest }}",
    }
    shown = show["steps"][run_of(show, 'release show "$ENVIRONMENT" "$DIGEST"')]
    assert 'cdk --app "cdk.out/delivered/$ENVIRONMENT" diff --all --method template' in shown["run"]
    assert shown["shell"] == "bash", "which fails when the first command of a pipe does"
    put = run_of(deploy, 'cdk --app "cdk.out/delivered/$ENVIRONMENT" deploy --all')
    assert run_of(deploy, 'release verify "$ENVIRONMENT" "$DIGEST"') < put
    assert put < run_of(deploy, 'release as "$ENVIRONMENT" -- ')
    watch = deploy["steps"][run_of(deploy, "release watch prod")]
    assert f"--alarm {PROD_ALARM} --since" in watch["run"]
    assert watch["if"] == "inputs.environment == 'prod'"
    assert not any("continue-on-error" in step for step in (*show["steps"], *deploy["steps"]))


def test_github_synthesizes_with_what_the_organisation_brings(workflow: dict[str, Any]) -> None:
    job = workflow["jobs"]["synthesize"]
    assert job["environment"] == DELIVERY
    fetched = run_of(job, "aws ssm get-parameter")
    assert job["steps"][fetched]["run"].split(">")[-1].strip() == "deployment.toml"
    assert fetched < run_of(job, "python -m tools.synth --delivered") < run_of(job, "release digest")
    (upload,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact")]
    assert (upload["with"]["name"], upload["with"]["path"]) == ("assemblies", "cdk.out/delivered")


@pytest.mark.req("IAC-3")
def test_github_puts_the_release_before_back(one_environment: dict[str, Any]) -> None:
    deploy = one_environment["jobs"]["deploy"]
    back = run_of(deploy, 'cdk --app "cdk.out/before/$ENVIRONMENT" deploy --all')
    found = run_of(deploy, "gh run list --workflow deliver.yml --branch main --status success")
    assert run_of(deploy, "release watch prod") < found < back
    for step in deploy["steps"][found : back + 1]:
        assert step["if"].startswith("failure() && ")
