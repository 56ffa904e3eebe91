"""Sessions, search and catalogue: what holds data, how it is protected and encrypted."""

from __future__ import annotations

import json

import pytest

from tests.infrastructure.synthesized import Synthesized, readable

# A new logical id makes CloudFormation replace the resource, and its data is gone with the old one. If this must be,
# plan the migration first, then change the list.
STATEFUL = {
    "Sessions": {"Key961B73FD": "AWS::KMS::Key", "TableCD117FA1": "AWS::DynamoDB::GlobalTable"},
    "Search": {
        "Group": "AWS::OpenSearchServerless::CollectionGroup",
        "Collection": "AWS::OpenSearchServerless::Collection",
    },
    "ModelPolicy": {
        "Application": "AWS::AppConfig::Application",
        "Environment": "AWS::AppConfig::Environment",
        "Profile": "AWS::AppConfig::ConfigurationProfile",
    },
    "Ingest": {"Catalogue6D2BB205": "AWS::DynamoDB::GlobalTable", "Feed908EF2E5": "AWS::S3::Bucket"},
    "Guardrail": {},
    "Chat": {"SecretKey573D36D8": "AWS::KMS::Key", "GuestTokenSecret1D1F14DF": "AWS::SecretsManager::Secret"},
    "Web": {"Bucket83908E77": "AWS::S3::Bucket"},
}
STATEFUL_TYPES = {type for stack in STATEFUL.values() for type in stack.values()}


@pytest.mark.req("IAC-6")
@pytest.mark.parametrize("concern", sorted(STATEFUL))
def test_stateful_resources_keep_their_logical_ids(application: Synthesized, concern: str) -> None:
    resources = application.templates[concern]["Resources"]
    found = {
        key: resource["Type"] for key, resource in resources.items() if resource["Type"] in STATEFUL_TYPES
    }
    assert found == STATEFUL[concern]


@pytest.mark.req("SES-1", "IAC-4", "SEC-5")
def test_sessions_live_in_one_encrypted_table_that_empties_itself(application: Synthesized) -> None:
    table = application.only("AWS::DynamoDB::GlobalTable", "Sessions")
    properties, protection = table["Properties"], application.settings.protection
    assert properties["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    (replica,) = properties["Replicas"]
    assert replica["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": ["Key961B73FD", "Arn"]}
    assert replica["DeletionProtectionEnabled"] is protection.deletion_protection
    recovery = replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert recovery is protection.point_in_time_recovery
    assert application.only("AWS::KMS::Key", "Sessions")["Properties"]["EnableKeyRotation"] is True


@pytest.mark.req("IAC-4")
def test_data_outlives_its_stack_in_prod(prod: Synthesized) -> None:
    for concern, resources in STATEFUL.items():
        for logical_id in resources:
            resource = prod.templates[concern]["Resources"][logical_id]
            assert resource["DeletionPolicy"] == "Retain", logical_id
            assert resource["UpdateReplacePolicy"] == "Retain", logical_id


@pytest.mark.req("RET-2")
def test_the_collection_is_a_nextgen_vector_collection_within_its_capacity(application: Synthesized) -> None:
    group = application.only("AWS::OpenSearchServerless::CollectionGroup", "Search")["Properties"]
    capacity = application.settings.search
    assert group["Generation"] == "NEXTGEN"
    assert group["CapacityLimits"] == {
        "MinSearchCapacityInOcu": capacity.min_ocu,
        "MaxSearchCapacityInOcu": capacity.max_ocu,
        "MinIndexingCapacityInOcu": capacity.min_ocu,
        "MaxIndexingCapacityInOcu": capacity.max_ocu,
    }
    collection = application.only("AWS::OpenSearchServerless::Collection", "Search")
    assert collection["Properties"]["Type"] == "VECTORSEARCH"
    assert collection["Properties"]["CollectionGroupName"] == group["Name"]
    assert set(collection["DependsOn"]) == {"Encryption", "Network", "Group"}


@pytest.mark.req("IAC-6")
def test_resources_that_a_tag_would_replace_carry_none(application: Synthesized) -> None:
    for type in ("Collection", "CollectionGroup"):
        properties = application.only(f"AWS::OpenSearchServerless::{type}", "Search")["Properties"]
        assert "Tags" not in properties
    tagged = application.only("AWS::KMS::Key", "Sessions")["Properties"]["Tags"]
    assert {"Key": "environment", "Value": application.settings.name} in tagged


@pytest.mark.req("SEC-4")
def test_the_chat_reads_the_index_and_ingestion_writes_it(application: Synthesized) -> None:
    rules = {}
    for concern, folder in (("Chat", "message"), ("Ingest", "ingest")):
        policy = application.only("AWS::OpenSearchServerless::AccessPolicy", concern)["Properties"]
        assert len(policy["Name"]) <= 32
        (statement,) = json.loads(readable(policy["Policy"]))
        role = application.function(folder)["Role"]["Fn::GetAtt"][0]
        assert statement["Principal"] == [f"${{{role}.Arn}}"]
        rules[folder] = {permission for rule in statement["Rules"] for permission in rule["Permission"]}
    assert rules["message"] == {"aoss:DescribeCollectionItems", "aoss:DescribeIndex", "aoss:ReadDocument"}
    assert rules["ingest"] >= {"aoss:CreateIndex", "aoss:WriteDocument", "aoss:UpdateCollectionItems"}
    assert "aoss:*" not in rules["ingest"]


@pytest.mark.req("SEC-5")
def test_buckets_are_private_encrypted_and_speak_tls_only(application: Synthesized) -> None:
    buckets = application.resources("AWS::S3::Bucket")
    assert len(buckets) == 2
    for logical_id, bucket in buckets.items():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["BucketEncryption"]
        (policy,) = [
            policy["Properties"]["PolicyDocument"]["Statement"]
            for policy in application.resources("AWS::S3::BucketPolicy").values()
            if policy["Properties"]["Bucket"] == {"Ref": logical_id}
        ]
        assert any(
            statement["Effect"] == "Deny"
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy
        )


@pytest.mark.req("IAC-4")
def test_prod_stacks_refuse_deletion(prod: Synthesized) -> None:
    from aws_cdk import App

    from stacks.application import build

    stacks = vars(build(App(context={"aws:cdk:bundling-stacks": []}), prod.settings))
    assert all(stack.termination_protection for stack in stacks.values())
