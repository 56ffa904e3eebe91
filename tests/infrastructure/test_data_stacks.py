"""Sessions, search and catalogue: what holds data, how it is protected and encrypted."""

from __future__ import annotations

import json

import pytest

from tests.infrastructure.synthesized import ROOT, Synthesized, readable

# A new logical id makes CloudFormation replace the resource, and its data is gone with the old one. If this must be,
# plan the migration first, then change the list.
STATEFUL = {
    "Sessions": {"Key961B73FD": "AWS::KMS::Key", "TableCD117FA1": "AWS::DynamoDB::GlobalTable"},
    "Search": {
        "Key961B73FD": "AWS::KMS::Key",
        "Group": "AWS::OpenSearchServerless::CollectionGroup",
        "Collection": "AWS::OpenSearchServerless::Collection",
    },
    "ModelPolicy": {
        "Application": "AWS::AppConfig::Application",
        "Environment": "AWS::AppConfig::Environment",
        "Profile": "AWS::AppConfig::ConfigurationProfile",
    },
    "Ingest": {
        "Key961B73FD": "AWS::KMS::Key",
        "Catalogue6D2BB205": "AWS::DynamoDB::GlobalTable",
        "Feed908EF2E5": "AWS::S3::Bucket",
    },
    "Guardrail": {},
    "CapacityState": {"Key961B73FD": "AWS::KMS::Key", "TableCD117FA1": "AWS::DynamoDB::GlobalTable"},
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
    behind_the_edge = {"OriginSecret5DDC59F1": "AWS::SecretsManager::Secret"}
    optional = behind_the_edge if concern == "Chat" and application.settings.edge else {}
    assert found == STATEFUL[concern] | optional


def test_only_entries_of_the_change_log_leave_the_catalogue_by_themselves(application: Synthesized) -> None:
    table = application.only("AWS::DynamoDB::GlobalTable", "Ingest")["Properties"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    items = (ROOT / "layers/core/python/mangaassist/catalogue/items.py").read_text("utf-8")
    assert "expires_at" not in items, "a product that had one would be deleted"


@pytest.mark.req("SES-1", "IAC-4", "SEC-5")
def test_sessions_live_in_one_encrypted_table_that_empties_itself(application: Synthesized) -> None:
    table = application.only("AWS::DynamoDB::GlobalTable", "Sessions")
    properties = table["Properties"]
    assert properties["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert application.only("AWS::KMS::Key", "Sessions")["Properties"]["EnableKeyRotation"] is True


@pytest.mark.req("IAC-4", "SEC-5")
@pytest.mark.parametrize("concern", ["Sessions", "Ingest"])
def test_every_replica_of_a_table_is_encrypted_with_our_key_and_protected(
    application: Synthesized, concern: str
) -> None:
    settings = application.settings
    properties = application.only("AWS::DynamoDB::GlobalTable", concern)["Properties"]
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    keys = {
        replica["Region"]: replica["SSESpecification"]["KMSMasterKeyId"] for replica in properties["Replicas"]
    }
    assert keys.pop(settings.region) == {"Fn::GetAtt": ["Key961B73FD", "Arn"]}
    assert {region: readable(key) for region, key in keys.items()} == {
        region: f"arn:aws:kms:{region}:${{AWS::AccountId}}:alias/{settings.resource_prefix}-data-replica"
        for region in settings.replica_regions
    }
    for replica in properties["Replicas"]:
        assert replica["DeletionProtectionEnabled"] is settings.protection.deletion_protection
        recovery = replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert recovery is settings.protection.point_in_time_recovery


@pytest.mark.req("RES-7")
def test_the_key_and_bucket_of_a_replica_are_there_under_the_names_that_the_tables_and_the_feed_use(
    prod: Synthesized,
) -> None:
    (region,) = prod.settings.replica_regions
    concern = f"Replica-{region}"
    alias = prod.only("AWS::KMS::Alias", concern)["Properties"]
    (key,) = prod.resources("AWS::KMS::Key", concern)
    assert alias["AliasName"] == "alias/mangaassist-prod-data-replica"
    assert alias["TargetKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    bucket = prod.only("AWS::S3::Bucket", concern)
    assert bucket["DeletionPolicy"] == "Retain"
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    name = readable(bucket["Properties"]["BucketName"])

    feed = prod.only("AWS::S3::Bucket", "Ingest")["Properties"]
    assert feed["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = feed["ReplicationConfiguration"]["Rules"]
    assert readable(rule["Destination"]["Bucket"]) == f"arn:aws:s3:::{name}"
    encryption = readable(rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"])
    assert encryption == f"arn:aws:kms:{region}:${{AWS::AccountId}}:{alias['AliasName']}"
    assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}
    assert rule["Filter"] == {"Prefix": "feed/"}


@pytest.mark.req("RES-7", "SEC-4")
def test_replication_may_copy_the_feed_and_use_one_key_over_there(prod: Synthesized) -> None:
    role = prod.only("AWS::S3::Bucket", "Ingest")["Properties"]["ReplicationConfiguration"]["Role"][
        "Fn::GetAtt"
    ][0]
    statements = [
        statement
        for policy in prod.resources("AWS::IAM::Policy", "Ingest").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    actions = {
        action
        for s in statements
        for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert actions == {
        "kms:Decrypt",
        "kms:Encrypt",
        "s3:GetObjectVersionAcl",
        "s3:GetObjectVersionForReplication",
        "s3:GetObjectVersionTagging",
        "s3:GetReplicationConfiguration",
        "s3:ListBucket",
        "s3:ReplicateObject",
        "s3:ReplicateTags",
    }
    (encrypt,) = [statement for statement in statements if statement["Action"] == "kms:Encrypt"]
    assert encrypt["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.us-west-2.amazonaws.com"},
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/mangaassist-prod-data-replica"},
    }


@pytest.mark.req("SEC-5")
def test_the_feed_is_encrypted_with_our_key(application: Synthesized) -> None:
    feed = application.only("AWS::S3::Bucket", "Ingest")["Properties"]
    (rule,) = feed["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": ["Key961B73FD", "Arn"]},
    }


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
    protection = application.settings.protection
    assert collection["DeletionPolicy"] == ("Retain" if protection.retain else "Delete")
    expected = "ENABLED" if protection.deletion_protection else "DISABLED"
    assert collection["Properties"]["DeletionProtection"] == expected


@pytest.mark.req("RET-2", "SEC-5")
def test_the_collection_is_encrypted_with_our_key_before_it_is_made(application: Synthesized) -> None:
    policies = {
        policy["Properties"]["Type"]: json.loads(readable(policy["Properties"]["Policy"]))
        for policy in application.resources("AWS::OpenSearchServerless::SecurityPolicy", "Search").values()
    }
    collection = f"collection/{application.only('AWS::OpenSearchServerless::Collection', 'Search')['Properties']['Name']}"
    assert policies["encryption"] == {
        "Rules": [{"ResourceType": "collection", "Resource": [collection]}],
        "AWSOwnedKey": False,
        "KmsARN": "${Key961B73FD.Arn}",
    }


@pytest.mark.req("RET-2", "SEC-5")
def test_the_collection_is_reached_by_the_endpoint_of_the_network_where_there_is_one(
    application: Synthesized,
) -> None:
    (policy,) = [
        policy["Properties"]
        for policy in application.resources("AWS::OpenSearchServerless::SecurityPolicy", "Search").values()
        if policy["Properties"]["Type"] == "network"
    ]
    (rule,) = json.loads(readable(policy["Policy"]))
    if application.settings.network is None:
        assert rule["AllowFromPublic"] is True
        assert "SourceVPCEs" not in rule
    else:
        assert rule["AllowFromPublic"] is False
        (endpoint,) = rule["SourceVPCEs"]
        assert "AossDataEndpoint" in endpoint


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
    buckets = [
        (concern, logical_id, bucket)
        for concern in application.templates
        for logical_id, bucket in application.resources("AWS::S3::Bucket", concern).items()
    ]
    assert {concern for concern, *_ in buckets} >= {"Ingest", "Web"}
    for concern, logical_id, bucket in buckets:
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["Properties"]["BucketEncryption"]
        (policy,) = [
            policy["Properties"]["PolicyDocument"]["Statement"]
            for policy in application.resources("AWS::S3::BucketPolicy", concern).values()
            if policy["Properties"]["Bucket"] == {"Ref": logical_id}
        ]
        assert any(
            statement["Effect"] == "Deny"
            and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy
        )


@pytest.mark.req("IAC-4")
def test_prod_stacks_refuse_deletion(prod: Synthesized) -> None:
    from aws_cdk import App, Stack

    from stacks.application import build

    app = App(context={"aws:cdk:bundling-stacks": []})
    build(app, prod.settings)
    stacks = [stack for stack in app.node.children if isinstance(stack, Stack)]
    assert len(stacks) == len(prod.templates)
    assert all(stack.termination_protection for stack in stacks)
