"""Config has a bucket that it can write to."""

from __future__ import annotations

from collections.abc import Iterator

from stacks.checks.rule import Finding, Rule, Template, logical_id_of, resources

LOCKS = ("ObjectLockEnabled", "ObjectLockConfiguration")


def _check(template: Template) -> Iterator[Finding]:
    buckets = dict(resources(template, "AWS::S3::Bucket"))
    for logical_id, channel in resources(template, "AWS::Config::DeliveryChannel"):
        bucket = buckets.get(logical_id_of(channel["Properties"]["S3BucketName"]))
        # One of another template could not be looked at.
        if bucket is None or any(map(bucket.get("Properties", {}).get, LOCKS)):
            yield Finding(logical_id, "Properties.S3BucketName")


RULE = Rule(
    id="MangaAssist-ConfigDelivers",
    what="the delivery channel of Config leads to a bucket of its template without object lock",
    why="Config supports no bucket with a default retention: it would deliver nothing, and a deploy does not say so (SEC-7)",
    check=_check,
)
