"""From an uploaded feed to the ingest function, and where failures go."""

from __future__ import annotations

from tests.infrastructure.synthesized import Synthesized


def test_an_upload_under_feed_starts_the_live_function(local: Synthesized) -> None:
    bucket = local.only("AWS::S3::Bucket", "Ingest")["Properties"]
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}

    rule = local.only("AWS::Events::Rule", "Ingest")["Properties"]
    assert rule["EventPattern"]["source"] == ["aws.s3"]
    assert rule["EventPattern"]["detail-type"] == ["Object Created"]
    assert rule["EventPattern"]["detail"]["object"] == {"key": [{"prefix": "feed/"}]}
    (target,) = rule["Targets"]
    alias = local.only("AWS::Lambda::Alias", "Ingest")["Properties"]
    assert alias["Name"] == "live"
    (alias_id,) = local.resources("AWS::Lambda::Alias", "Ingest")
    assert target["Arn"] == {"Ref": alias_id}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 8


def test_events_that_fail_end_in_a_watched_queue(local: Synthesized) -> None:
    (queue_id,) = local.resources("AWS::SQS::Queue", "Ingest")
    arn = {"Fn::GetAtt": [queue_id, "Arn"]}
    (target,) = local.only("AWS::Events::Rule", "Ingest")["Properties"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": arn}

    invocation = local.only("AWS::Lambda::EventInvokeConfig", "Ingest")["Properties"]
    assert invocation["DestinationConfig"] == {"OnFailure": {"Destination": arn}}
    assert invocation["MaximumRetryAttempts"] == 2
    (alias_id,) = local.resources("AWS::Lambda::Alias", "Ingest")
    assert alias_id in str(invocation["Qualifier"]), "of the alias, not of $LATEST"

    alarm = local.only("AWS::CloudWatch::Alarm", "Ingest")["Properties"]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue_id, "QueueName"]}}]
    assert alarm["TreatMissingData"] == "notBreaching"


def test_what_ingestion_reads_and_writes_is_apart(local: Synthesized) -> None:
    may = local.permissions("ingest")
    (reads,), (writes,) = may["s3:GetObject"], may["s3:PutObject"]
    assert reads.endswith("/feed/*")
    # Not below feed/: an object there would start the function again.
    assert writes.endswith("/quarantine/*")
