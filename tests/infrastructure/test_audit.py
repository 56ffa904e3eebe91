"""The trail, the rules, the alarms on tampering; and logs that are kept for years."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest

from stacks.environments import ENVIRONMENTS
from stacks.log_archive import DAYS_A_YEAR
from tests.infrastructure.synthesized import Synthesized, readable

SEVEN_YEARS = 7 * 365


def _bucket(prod: Synthesized, holder: str) -> tuple[str, dict[str, Any]]:
    """The bucket that the trail or Config's channel writes to, and its logical id."""
    types = {"trail": "AWS::CloudTrail::Trail", "config": "AWS::Config::DeliveryChannel"}
    logical_id = prod.only(types[holder], "Audit")["Properties"]["S3BucketName"]["Ref"]
    return logical_id, prod.resources("AWS::S3::Bucket", "Audit")[logical_id]


def test_only_an_account_of_its_own_is_audited() -> None:
    assert [name for name, settings in ENVIRONMENTS.items() if settings.audit] == ["prod"]


@pytest.mark.req("SEC-7")
def test_the_trail_sees_every_region_and_can_prove_what_it_wrote(prod: Synthesized) -> None:
    trail = prod.only("AWS::CloudTrail::Trail", "Audit")["Properties"]
    assert trail["IsLogging"] is trail["IsMultiRegionTrail"] is trail["EnableLogFileValidation"] is True
    assert trail["IncludeGlobalServiceEvents"] is True
    (key,) = prod.resources("AWS::KMS::Key", "Audit")
    assert trail["KMSKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert trail["CloudWatchLogsLogGroupArn"]


@pytest.mark.req("SEC-7")
def test_data_events_are_those_of_people_not_of_our_functions(prod: Synthesized) -> None:
    selectors = prod.only("AWS::CloudTrail::Trail", "Audit")["Properties"]["AdvancedEventSelectors"]
    fields = {each["Name"]: {field["Field"]: field for field in each["FieldSelectors"]} for each in selectors}
    assert any(each["eventCategory"]["Equals"] == ["Management"] for each in fields.values())
    (sessions,) = [
        each
        for each in fields.values()
        if each.get("resources.type", {}).get("Equals") == ["AWS::DynamoDB::Table"]
    ]
    assert "MangaAssist-prod-Sessions" in str(sessions["resources.ARN"]["Equals"][0])
    assert readable(sessions["userIdentity.arn"]["NotStartsWith"][0]) == (
        "arn:aws:sts::${AWS::AccountId}:assumed-role/MangaAssist-prod-"
    )


@pytest.mark.req("SEC-7")
def test_records_are_locked_encrypted_and_forgotten_after_their_years(prod: Synthesized) -> None:
    _, made = _bucket(prod, "trail")
    bucket = made["Properties"]
    years = ENVIRONMENTS["prod"].audit.archive_years  # type: ignore[union-attr]
    lock = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert lock == {"Mode": "GOVERNANCE", "Days": years * DAYS_A_YEAR}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == years * DAYS_A_YEAR >= SEVEN_YEARS
    assert rule["Transitions"] == [{"StorageClass": "GLACIER", "TransitionInDays": 90}]
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert made["DeletionPolicy"] == "Retain"


@pytest.mark.req("SEC-7")
def test_config_has_a_bucket_of_its_own_that_it_can_write_to(prod: Synthesized) -> None:
    logical_id, made = _bucket(prod, "config")
    assert logical_id != _bucket(prod, "trail")[0]
    bucket = made["Properties"]
    # Config supports no bucket with a default retention.
    assert not [name for name in bucket if name.startswith("ObjectLock")]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] >= SEVEN_YEARS
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (key,) = prod.resources("AWS::KMS::Key", "Audit")
    default = encryption["ServerSideEncryptionByDefault"]
    assert default == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": [key, "Arn"]}}
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert made["DeletionPolicy"] == "Retain"
    channel = prod.only("AWS::Config::DeliveryChannel", "Audit")
    assert channel["Properties"]["S3KmsKeyArn"] == {"Fn::GetAtt": [key, "Arn"]}
    (policy,) = [
        name
        for name, each in prod.resources("AWS::S3::BucketPolicy", "Audit").items()
        if each["Properties"]["Bucket"] == {"Ref": logical_id}
    ]
    assert policy in channel["DependsOn"]


@pytest.mark.req("SEC-5", "SEC-7")
def test_both_buckets_take_tls_only_and_the_trail_sees_who_touches_them(prod: Synthesized) -> None:
    for policy in prod.resources("AWS::S3::BucketPolicy", "Audit").values():
        refused = [
            each
            for each in policy["Properties"]["PolicyDocument"]["Statement"]
            if each["Effect"] == "Deny" and each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        ]
        assert len(refused) == 1
    selectors = prod.only("AWS::CloudTrail::Trail", "Audit")["Properties"]["AdvancedEventSelectors"]
    (watched,) = [
        [readable(arn) for arn in field["StartsWith"]]
        for selector in selectors
        for field in selector["FieldSelectors"]
        if selector["Name"] == "Audit records touched" and "StartsWith" in field
    ]
    assert set(watched) == {
        f"${{{logical_id}.Arn}}/" for logical_id in prod.resources("AWS::S3::Bucket", "Audit")
    }


@pytest.mark.req("SEC-7")
def test_the_trail_has_who_touches_our_buckets_but_not_what_our_functions_do(prod: Synthesized) -> None:
    selectors = prod.only("AWS::CloudTrail::Trail", "Audit")["Properties"]["AdvancedEventSelectors"]
    (ours,) = [each for each in selectors if each["Name"].startswith("Objects of our buckets")]
    fields = {field["Field"]: field for field in ours["FieldSelectors"]}
    assert len(fields) == len(ours["FieldSelectors"]), "a field may be named once"
    arns = fields["resources.ARN"]
    assert arns["StartsWith"] == ["arn:aws:s3:::mangaassist-prod-"]
    assert "arn:aws:s3:::mangaassist-prod-web-" in arns["NotStartsWith"]
    assert "NotStartsWith" in fields["userIdentity.arn"]
    for stack in prod.templates:
        for bucket in prod.resources("AWS::S3::Bucket", stack).values():
            name = readable(bucket["Properties"].get("BucketName", f"mangaassist-prod-{stack.lower()}-x"))
            assert name.startswith("mangaassist-prod-")


@pytest.mark.req("SEC-7")
def test_only_the_trail_and_config_of_this_account_may_write_records(prod: Synthesized) -> None:
    writers = {
        policy["Properties"]["Bucket"]["Ref"]: [
            each
            for each in policy["Properties"]["PolicyDocument"]["Statement"]
            if each["Effect"] == "Allow" and "s3:PutObject" in str(each["Action"])
        ]
        for policy in prod.resources("AWS::S3::BucketPolicy", "Audit").values()
    }
    assert {
        bucket: [each["Principal"]["Service"] for each in found] for bucket, found in writers.items()
    } == {
        _bucket(prod, "trail")[0]: ["cloudtrail.amazonaws.com"],
        _bucket(prod, "config")[0]: ["config.amazonaws.com"],
    }
    for (each,) in writers.values():
        condition = each["Condition"]["StringEquals"]
        assert "aws:SourceArn" in condition or condition["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
        assert condition["s3:x-amz-acl"] == "bucket-owner-full-control"
        assert "/AWSLogs/" in str(each["Resource"])


@pytest.mark.req("SEC-7")
def test_rules_of_config_are_evaluated_once_the_recorder_runs(prod: Synthesized) -> None:
    (recorder,) = prod.resources("AWS::Config::ConfigurationRecorder", "Audit")
    rules = prod.resources("AWS::Config::ConfigRule", "Audit")
    identifiers = {rule["Properties"]["Source"]["SourceIdentifier"] for rule in rules.values()}
    assert identifiers >= {
        "MULTI_REGION_CLOUD_TRAIL_ENABLED",
        "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED",
        "DYNAMODB_PITR_ENABLED",
        "S3_BUCKET_PUBLIC_READ_PROHIBITED",
        "CMK_BACKING_KEY_ROTATION_ENABLED",
    }
    # No template can close the default group of a VPC: the rule would report it for ever.
    assert "VPC_DEFAULT_SECURITY_GROUP_CLOSED" not in identifiers
    for rule in rules.values():
        assert recorder in rule["DependsOn"]
    pattern = prod.only("AWS::Events::Rule", "Audit")["Properties"]["EventPattern"]
    assert pattern["detail"] == {"newEvaluationResult": {"complianceType": ["NON_COMPLIANT"]}}


EVENTS: dict[str, list[dict[str, Any]]] = {
    "Tampering": [{"eventName": "StopLogging"}, {"eventName": "DeleteTrail"}, {"eventName": "DisableKey"}],
    "RootUse": [{"userIdentity": {"type": "Root"}, "eventType": "AwsApiCall"}],
    "SecretsRead": [
        {
            "eventName": "GetSecretValue",
            "userIdentity": {"arn": "arn:aws:sts::123456789012:assumed-role/Admin/somebody"},
        }
    ],
    "SessionsRead": [{"eventSource": "dynamodb.amazonaws.com", "eventCategory": "Data"}],
    "Denied": [{"errorCode": "AccessDeniedException"}, {"errorCode": "Client.UnauthorizedOperation"}],
}
HARMLESS: list[dict[str, Any]] = [
    {"eventName": "DescribeTrails", "eventCategory": "Management"},
    {
        "eventName": "GetSecretValue",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::123456789012:assumed-role/MangaAssist-prod-Chat-AuthorizerRole-1/x",
        },
    },
    {"userIdentity": {"type": "Root", "invokedBy": "AWS Internal"}, "eventType": "AwsServiceEvent"},
    {"eventSource": "dynamodb.amazonaws.com", "eventCategory": "Management", "eventName": "ListTables"},
]


@pytest.mark.req("SEC-7")
def test_whoever_blinds_us_or_looks_at_what_is_not_theirs_is_noticed(prod: Synthesized) -> None:
    filters = {
        made["Properties"]["MetricTransformations"][0]["MetricName"].removeprefix("prod-"): made["Properties"]
        for made in prod.resources("AWS::Logs::MetricFilter", "Audit").values()
    }
    assert set(filters) == set(EVENTS)
    for name, events in EVENTS.items():
        pattern = filters[name]["FilterPattern"]
        for event in events:
            assert _matches(pattern, event), f"{name} misses {event}"
        for event in HARMLESS:
            assert not _matches(pattern, event), f"{name} rings for {event}"
    alarms = {
        made["Properties"]["MetricName"].removeprefix("prod-"): made["Properties"]
        for made in prod.resources("AWS::CloudWatch::Alarm", "Audit").values()
        if made["Properties"]["Namespace"] == "MangaAssist/Audit"
    }
    assert set(alarms) == set(EVENTS)
    for name in ("Tampering", "RootUse"):
        assert alarms[name]["AlarmDescription"].startswith("[page]")
        assert alarms[name]["Threshold"] == 0


@pytest.mark.req("SEC-7")
def test_logs_stay_90_days_at_hand_and_7_years_in_the_archive(prod: Synthesized) -> None:
    groups = {
        made["Properties"]["LogGroupName"]: made["Properties"]["RetentionInDays"]
        for made in prod.resources("AWS::Logs::LogGroup").values()
    }
    assert set(groups.values()) == {90}
    archived = {
        made["Properties"]["LogGroupName"]
        for made in prod.resources("AWS::Logs::SubscriptionFilter", "LogArchive").values()
    }
    # Its own errors would feed themselves; the trail has its own bucket.
    assert set(groups) - archived == {"/mangaassist/prod/log-archive", "/mangaassist/prod/audit-trail"}
    assert {f"/mangaassist/prod/{folder}" for folder in prod.functions()} <= archived
    for made in prod.resources("AWS::Logs::SubscriptionFilter", "LogArchive").values():
        assert made["Properties"]["FilterPattern"] == "", "every line"
    bucket = prod.only("AWS::S3::Bucket", "LogArchive")
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] >= SEVEN_YEARS
    assert rule["Transitions"] == [{"StorageClass": "DEEP_ARCHIVE", "TransitionInDays": 1}]
    assert bucket["DeletionPolicy"] == "Retain"


@pytest.mark.req("SEC-7")
def test_the_archive_is_written_by_firehose_alone_and_under_our_key(prod: Synthesized) -> None:
    (key,) = prod.resources("AWS::KMS::Key", "LogArchive")
    stream = prod.only("AWS::KinesisFirehose::DeliveryStream", "LogArchive")["Properties"]
    wanted = {"Fn::GetAtt": [key, "Arn"]}
    assert stream["DeliveryStreamEncryptionConfigurationInput"]["KeyARN"] == wanted
    destination = stream["ExtendedS3DestinationConfiguration"]
    assert destination["EncryptionConfiguration"]["KMSEncryptionConfig"]["AWSKMSKeyARN"] == wanted
    assert destination["CompressionFormat"] == "UNCOMPRESSED", "lines come compressed"
    role = prod.resources("AWS::IAM::Role", "LogArchive")[
        prod.resources("AWS::Logs::SubscriptionFilter", "LogArchive").popitem()[1]["Properties"]["RoleArn"][
            "Fn::GetAtt"
        ][0]
    ]
    (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "logs.amazonaws.com"}
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


@pytest.mark.req("SEC-4", "SEC-7")
def test_roles_of_the_archive_may_do_this_and_nothing_else(prod: Synthesized) -> None:
    (stream,) = prod.resources("AWS::KinesisFirehose::DeliveryStream", "LogArchive")
    (bucket,) = prod.resources("AWS::S3::Bucket", "LogArchive")
    (key,) = prod.resources("AWS::KMS::Key", "LogArchive")
    (errors,) = prod.resources("AWS::Logs::LogGroup", "LogArchive")
    may = {
        policy["Properties"]["Roles"][0]["Ref"][:-8]: {
            (action, readable(statement["Resource"]))
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            for action in (
                statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            )
        }
        for policy in prod.resources("AWS::IAM::Policy", "LogArchive").values()
    }
    assert may == {
        # CloudWatch Logs sends batches.
        "SubscriptionRole": {
            ("firehose:PutRecord", f"${{{stream}.Arn}}"),
            ("firehose:PutRecordBatch", f"${{{stream}.Arn}}"),
        },
        "DeliveryRole": {
            *((f"s3:{action}", f"${{{bucket}.Arn}}") for action in ("GetBucketLocation", "ListBucket")),
            ("s3:ListBucketMultipartUploads", f"${{{bucket}.Arn}}"),
            *((f"s3:{action}Object", f"${{{bucket}.Arn}}/*") for action in ("Get", "Put")),
            ("s3:AbortMultipartUpload", f"${{{bucket}.Arn}}/*"),
            *((f"kms:{action}", f"${{{key}.Arn}}") for action in ("Decrypt", "GenerateDataKey")),
            *((f"logs:{action}", f"${{{errors}.Arn}}") for action in ("CreateLogStream", "PutLogEvents")),
        },
    }


def _matches(pattern: str, event: dict[str, Any]) -> bool:
    """The part of CloudWatch's JSON filter language that the patterns use: = and != with *, NOT EXISTS, || and &&."""

    def term(found: re.Match[str]) -> str:
        path, rest = found[1], found[2]
        value: Any = event
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if rest == "NOT EXISTS":
            return str(value is None)
        operator, text = rest.split(" ", 1)
        # A comparison with what is not there is false, whichever way it goes.
        is_equal = value is not None and fnmatch.fnmatchcase(str(value), json.loads(text))
        return str(is_equal if operator == "=" else value is not None and not is_equal)

    inner = pattern.strip()
    assert inner.startswith("{")
    assert inner.endswith("}")
    said = re.sub(r'\(\$\.([\w.]+) (NOT EXISTS|!?= "[^"]*")\)', term, inner[1:-1])
    said = said.replace("||", " or ").replace("&&", " and ")
    assert set(re.findall(r"\w+", said)) <= {"True", "False", "or", "and"}, said
    return bool(eval(said))  # the four words above, and nothing else
