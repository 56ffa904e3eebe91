"""Valkey: encrypted, bounded, entered by IAM from inside the network only."""

from __future__ import annotations

import pytest

from stacks.environments import ENVIRONMENTS
from tests.infrastructure.synthesized import Synthesized, readable, synthesize


@pytest.fixture(scope="module", params=["staging", "prod"])
def cached(request: pytest.FixtureRequest) -> Synthesized:
    """The environments with a cache."""
    application = synthesize(ENVIRONMENTS[request.param])
    assert application.settings.cache is not None
    return application


@pytest.mark.req("SEC-5")
def test_the_cache_is_encrypted_bounded_and_in_private_subnets(cached: Synthesized) -> None:
    limits = cached.settings.cache
    assert limits is not None
    cache = cached.only("AWS::ElastiCache::ServerlessCache", "Cache")["Properties"]
    assert (cache["Engine"], cache["MajorEngineVersion"]) == ("valkey", "8")
    assert cache["ServerlessCacheName"] == cache["ServerlessCacheName"].lower()
    assert "ConnectionType" not in cache, "the default is the VPC; a public endpoint could not be taken back"
    (key,) = cached.resources("AWS::KMS::Key", "Cache")
    assert cache["KmsKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    assert cache["CacheUsageLimits"] == {
        "DataStorage": {"Maximum": limits.max_storage_gb, "Unit": "GB"},
        "ECPUPerSecond": {"Maximum": limits.max_ecpu_per_second},
    }
    assert cache["SnapshotRetentionLimit"] == 1
    (group,) = cache["SecurityGroupIds"]
    assert "ExportsOutputFnGetAttCache" in readable(group)
    assert all("PrivateSubnet" in readable(subnet) for subnet in cache["SubnetIds"])


@pytest.mark.req("SEC-4")
def test_users_enter_with_iam_and_administer_nothing(cached: Synthesized) -> None:
    (user_id,) = cached.resources("AWS::ElastiCache::User", "Cache")
    user = cached.only("AWS::ElastiCache::User", "Cache")["Properties"]
    assert user["UserId"] == user["UserName"]
    assert user["AuthenticationMode"] == {"Type": "iam"}
    assert "NoPasswordRequired" not in user
    rights = user["AccessString"].split()
    assert rights[0] == "on"
    assert "-@dangerous" in rights
    assert rights.index("-@dangerous") > max(rights.index(f"+@{name}") for name in ("read", "write"))
    assert not {"+@all", "+@admin", "+@dangerous", "allchannels"} & set(rights)
    group = cached.only("AWS::ElastiCache::UserGroup", "Cache")["Properties"]
    assert group["UserIds"] == [{"Ref": user_id}], "the passwordless user default is left out"
    cache = cached.only("AWS::ElastiCache::ServerlessCache", "Cache")["Properties"]
    assert cache["UserGroupId"] == {"Ref": "Users"}


@pytest.mark.req("SEC-4")
def test_only_message_connects_to_this_cache_as_its_own_user(cached: Synthesized) -> None:
    for folder in cached.functions():
        on = cached.permissions(folder).get("elasticache:Connect")
        if folder != "message":
            assert on is None, folder
            continue
        assert on is not None
        assert len(on) == 2
        assert any("ChatUser" in arn for arn in on)
        assert not [arn for arn in on if "*" in arn]
    variables = cached.function("message")["Environment"]["Variables"]
    cache = cached.only("AWS::ElastiCache::ServerlessCache", "Cache")["Properties"]
    user = cached.only("AWS::ElastiCache::User", "Cache")["Properties"]
    assert variables["CACHE_NAME"] == cache["ServerlessCacheName"]
    assert variables["CACHE_USER"] == user["UserId"]
    assert "EndpointAddress" in readable(variables["CACHE_ENDPOINT"])


def test_its_alarms_watch_this_cache(cached: Synthesized) -> None:
    alarms = cached.resources("AWS::CloudWatch::Alarm", "Cache").values()
    metrics = {alarm["Properties"]["MetricName"]: alarm["Properties"] for alarm in alarms}
    assert set(metrics) == {"ThrottledCmds", "BytesUsedForCache"}
    name = cached.only("AWS::ElastiCache::ServerlessCache", "Cache")["Properties"]["ServerlessCacheName"]
    for properties in metrics.values():
        assert properties["Dimensions"] == [{"Name": "clusterId", "Value": name}]


@pytest.mark.parametrize("name", ["local", "dev"])
def test_without_a_cache_nothing_names_one(name: str) -> None:
    application = synthesize(ENVIRONMENTS[name])
    assert "Cache" not in application.templates
    assert "CACHE_ENDPOINT" not in application.function("message")["Environment"]["Variables"]
