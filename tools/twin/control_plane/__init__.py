"""Stand-ins for the control planes that the emulator lacks, as far as the capacity functions call them.

Application Auto Scaling, OpenSearch Serverless (collection groups), SageMaker (endpoints) and Bedrock (provisioned
throughput), over their own wire protocols. They keep what they are told in one file of the twin's state and answer from
it; nothing here serves traffic, starts an instance or costs anything. Served by the process of ``tools.twin.models``.
"""
