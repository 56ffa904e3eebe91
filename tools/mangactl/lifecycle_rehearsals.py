"""Rehearsals of a release's life on a twin of their own: up from the release before, back, and away.

They run one after the other on the same twin, because each begins where the one before ended: the release before with
data in it, this release on top, a deployment of this release that fails, and the end of the environment.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Final

from mangaassist.protocol import FinalFrame, StartFrame
from tools.chat_client import ChatClient
from tools.delivery import releases, stateful
from tools.mangactl import policy_edits
from tools.mangactl.capacity_rehearsals import RehearsalFailed, Stage
from tools.mangactl.policy_store import ChangeNote, Place, PolicyStore
from tools.twin import deployment
from tools.twin.addresses import local_address
from tools.twin.inventory import Inventory, Key
from tools.twin.layout import ACCOUNT, PORTS, REGION, Held, Layout
from tools.twin.loading import load_catalogue
from tools.twin.supervisor import Twin

PROTOCOL_VERSION: Final = 2
"""Of release 0.1.0."""
ENVIRONMENT: Final = Held("prod")
"""The one whose data is to outlive everything."""
QUESTION: Final = "Recommend horror manga like Junji Ito"
TASK: Final = "answer_synthesis"
CHANGED_MEMORY_MB: Final = 2_048
NO_FUNCTION: Final = "arn:aws:lambda:us-east-1:000000000000:function:mangaassist-nobody"
CLEAN: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Shopper:
    """Somebody who came before the upgrade: the session, and the token it was made with."""

    session_id: str
    token: str
    tier: str | None


@dataclass(frozen=True)
class Holdings:
    """What must not get lost, by stack and logical id, and how much is in it."""

    resources: dict[str, dict[str, str]]
    catalogue_items: int
    sessions: frozenset[str]
    policy_version: int
    policy: str


def rehearsal_layout(layout: Layout) -> Layout:
    """Where the rehearsals' own twin lives: beside the twin of ``layout``, which they leave alone."""
    return replace(
        layout,
        home=layout.home / "rehearsal",
        port_base=layout.port_base + PORTS,
        held=ENVIRONMENT,
    )


class LifecycleRehearsal:
    """A twin that first holds the release before this one."""

    def __init__(self, layout: Layout, say: Say) -> None:
        self.layout, self.release = layout, releases.newest()
        self._assembly = layout.home / "previous"
        self.twin = Twin(layout, deploy_stacks=self._deploy_release, load_data=load_catalogue)
        self.stage = Stage(self.twin, say)

    @property
    def steps(self) -> list[str]:
        """What came true so far."""
        return self.stage.steps

    def end(self) -> None:
        """Stop the twin."""
        self.twin.down()

    # --- upgrade ------------------------------------------------------------------------------------

    def upgrade(self) -> None:
        """The release before with data in it, then this one over it; data and operators' decisions stay."""
        with self._timed(f"prod of {self.release} deployed, and its catalogue loaded by its own ingest"):
            self.twin.up(fresh=True, on_progress=self.stage.say)
        flipped = self._flip()
        self._expect(flipped, f"an operator put {TASK} on the tier {flipped}")
        shopper = asyncio.run(self._first_visit())
        self._expect(shopper.tier, f"a shopper was answered by {self.release} with the tier {shopper.tier}")
        before = self._holdings()

        with self._timed("this release deployed over it"):
            self._now().deploy(on_progress=self.stage.say)
        self._expect(not self._unclean(), "every stack ended clean")
        after = self._holdings()
        lost = {
            f"{stack}/{logical_id}"
            for stack, resources in before.resources.items()
            for logical_id, physical_id in resources.items()
            if after.resources.get(stack, {}).get(logical_id) != physical_id
        }
        count = sum(map(len, before.resources.values()))
        self._expect(
            not lost, f"all {count} resources that hold data are the same ones ({lost or 'none lost'})"
        )
        self._expect(
            after.catalogue_items == before.catalogue_items > 0,
            f"the catalogue has its {before.catalogue_items:,} items",
        )
        self._expect(before.sessions <= after.sessions, "every session is there")
        self._expect(
            (after.policy_version, after.policy) == (before.policy_version, before.policy),
            f"the operator's policy is in force: version {after.policy_version}, no deploy touched it",
        )
        returned = asyncio.run(self._next_visit(shopper))
        self._expect(
            (returned.session_id, returned.tier) == (shopper.session_id, flipped),
            f"the shopper's session went on through the edge, with the tier {returned.tier}",
        )

    # --- rollback -----------------------------------------------------------------------------------

    def rollback(self) -> None:
        """A deployment that changes the message function and fails afterwards: everything is as before."""
        stack = f"MangaAssist-{ENVIRONMENT.environment}-Chat"
        cloudformation = self.stage.client("cloudformation")
        before, memory, holdings = self._template(stack), self._memory(), self._holdings()
        broken = copy.deepcopy(before)
        (function,) = (
            logical_id
            for logical_id, body in broken["Resources"].items()
            if body["Type"] == "AWS::Lambda::Function" and logical_id.startswith("MessageFunction")
        )
        broken["Resources"][function]["Properties"]["MemorySize"] = CHANGED_MEMORY_MB
        broken["Resources"]["Fails"] = {
            "Type": "Custom::Fails",
            "Properties": {"ServiceToken": NO_FUNCTION},
            # Last, when everything else was changed already.
            "DependsOn": function,
        }
        cloudformation.update_stack(
            StackName=stack,
            TemplateURL=self._uploaded(broken),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
        started = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["LastUpdatedTime"]
        cloudformation.get_waiter("stack_rollback_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        events = [
            event
            for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
            for event in page["StackEvents"]
            if event["Timestamp"] >= started
        ]
        changed = any(
            event["LogicalResourceId"] == function and event["ResourceStatus"] == "UPDATE_COMPLETE"
            for event in events
        )
        failed = next(event for event in events if event["ResourceStatus"].endswith("_FAILED"))
        self._expect(changed, f"the message function was changed to {CHANGED_MEMORY_MB} MB")
        self._expect(
            failed["LogicalResourceId"] == "Fails",
            f"then a resource failed: {failed['ResourceStatusReason']}",
        )
        self._expect(
            found["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", "CloudFormation rolled the stack back"
        )
        self._expect(self._memory() == memory, f"the message function has its {memory} MB again")
        self._expect(self._template(stack) == before, "the template in force is the one before")
        self._expect(self._holdings() == holdings, "data, sessions and policy are as they were")
        answered = asyncio.run(self._visit(self.twin.urls().api))
        self._expect(answered.tier, "shoppers are answered")

    # --- destroy ------------------------------------------------------------------------------------

    def destroy(self) -> None:
        """The end of the environment: refused at first, then everything goes but what holds data."""
        stacks = self._stacks()
        refused = [name for region, name in stacks if not self._may_be_deleted(region, name)]
        self._expect(
            len(refused) == len(stacks),
            f"all {len(stacks)} stacks refuse to be deleted (termination protection)",
        )
        inventory, holdings = Inventory(self.layout), self._holdings()
        deployed = inventory.of_stacks(stacks)
        for region, name in stacks:
            self._client("cloudformation", region).update_termination_protection(
                StackName=name, EnableTerminationProtection=False
            )
        with self._timed("protection off, and every stack destroyed"):
            deployment.destroy(self.layout, self.stage.say)
        self._expect(not self._stacks(), "no stack is left")
        there = inventory.existing()
        listed = {each for each in deployed if each.is_listed}
        kept = {each.key for each in listed if each.is_retained}
        gone = {each.key for each in listed if not each.is_retained}
        self._expect(
            kept <= there, f"{len(kept)} resources that hold data survive ({_named(kept - there)} lost)"
        )
        self._expect(
            not gone & there,
            f"{len(gone)} others are gone by the word of their own services ({_named(gone & there)} left), "
            f"and {len(deployed - listed)} of kinds that live inside them or are only recorded",
        )
        brought = Key("AWS::SecretsManager::Secret", REGION, deployment.partner_secret(self.layout))
        # A secret's replica in the other region lives as long as the secret itself.
        copies = {
            each
            for each in there - kept
            if each.type == brought.type
            and any((each.type, each.physical_id) == (one.type, one.physical_id) for one in kept)
        }
        orphans = inventory.ours(there) - kept - copies - {brought}
        self._expect(not orphans, f"nothing else of ours is there ({_named(orphans)} orphaned)")
        tables = self._tables(holdings)
        self._expect(
            self._count(tables["Catalogue"]) == holdings.catalogue_items
            and holdings.sessions <= self._sessions(tables["Sessions"]),
            "and what is in the tables is all there",
        )

    # --- steps --------------------------------------------------------------------------------------

    def _expect(self, is_true: object, what: str) -> None:
        self.stage.expect(is_true, what)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = monotonic()
        yield
        self._expect(True, f"{what} ({monotonic() - began:.0f} s)")

    def _deploy_release(self, layout: Layout, on_progress: Say) -> None:
        deployment.deploy_assembly(layout, releases.unpack(self.release, self._assembly), on_progress)

    def _now(self) -> Twin:
        """The same twin, deploying what is in the checkout."""
        return Twin(self.layout)

    def _flip(self) -> str:
        """An operator's decision, made with the tools of today."""
        store = self._policy()
        current = store.in_force()
        document = json.loads(store.document(current.version))
        flipped = policy_edits.bind(document, TASK, "economy")
        note = ChangeNote.now(f"{TASK} to economy", "rehearsal", "rehearsal")
        version = store.write(policy_edits.dump(flipped), note, after=store.latest_version())
        store.deploy(version, note, "instant")
        return flipped["tasks"][TASK]["tier"]

    async def _first_visit(self) -> Shopper:
        # The release before may have no edge that the twin can play; its API answers by itself then.
        outputs = self.twin.outputs()
        direct = local_address(outputs["Chat"]["HttpApiUrl"], self.layout.ports["emulator"])
        has_edge = "DistributionId" in outputs["Web"]
        return await self._visit(self.twin.urls().api if has_edge else f"{direct.rstrip('/')}/$default")

    async def _next_visit(self, shopper: Shopper) -> Shopper:
        return await self._visit(self.twin.urls().api, session_id=shopper.session_id, token=shopper.token)

    async def _visit(self, api: str, **options: Any) -> Shopper:
        # As the pages speak that shoppers have open: those of the release before.
        options = {"protocol_version": PROTOCOL_VERSION, **options}
        async with await ChatClient.connect(self.twin.urls().websocket, api, **options) as client:
            frames = [frame async for frame in client.ask(QUESTION)]
        first, last = frames[0], frames[-1]
        if not (isinstance(first, StartFrame) and isinstance(last, FinalFrame)):
            raise RehearsalFailed(f"the turn ended with {last}")
        return Shopper(first.session_id, client.token, last.metadata.model_tier)

    # --- looking ------------------------------------------------------------------------------------

    def _holdings(self) -> Holdings:
        resources = {
            name: {
                each["LogicalResourceId"]: each["PhysicalResourceId"]
                for each in self._client("cloudformation", region).describe_stack_resources(StackName=name)[
                    "StackResources"
                ]
                if each["ResourceType"] in stateful.STATEFUL
            }
            for region, name in self._stacks()
        }
        store = self._policy()
        current = store.in_force()
        return Holdings(
            resources=resources,
            catalogue_items=self._count(self.stage.output("Ingest", "CatalogueTableName")),
            sessions=self._sessions(self.stage.output("Sessions", "SessionsTableName")),
            policy_version=current.version,
            policy=store.document(current.version),
        )

    def _policy(self) -> PolicyStore:
        return PolicyStore(
            self.stage.client("appconfig"), Place.from_outputs(self.twin.outputs()["ModelPolicy"])
        )

    def _client(self, service: str, region: str) -> Any:
        return deployment.emulator_client(self.layout, service, region=region)

    def _stacks(self) -> list[tuple[str, str]]:
        """Region and name of every stack of ours."""
        return [(region, stack["StackName"]) for region, stack in self._described()]

    def _unclean(self) -> list[str]:
        return [stack["StackName"] for _, stack in self._described() if stack["StackStatus"] not in CLEAN]

    def _described(self) -> list[tuple[str, dict[str, Any]]]:
        assembly = self.layout.assembly if self.layout.assembly.is_dir() else self._assembly
        return [
            (region, stack)
            for region in deployment.regions(assembly)
            for page in self._client("cloudformation", region).get_paginator("describe_stacks").paginate()
            for stack in page["Stacks"]
            if stack["StackName"].startswith("MangaAssist-") and stack["StackStatus"] != "DELETE_COMPLETE"
        ]

    def _may_be_deleted(self, region: str, name: str) -> bool:
        client = self._client("cloudformation", region)
        try:
            client.delete_stack(StackName=name)
        except client.exceptions.ClientError as error:
            return "TerminationProtection" not in str(error)
        return True

    def _template(self, stack: str) -> dict[str, Any]:
        body = self.stage.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
        return json.loads(body) if isinstance(body, str) else body

    def _uploaded(self, template: dict[str, Any]) -> str:
        """Where CloudFormation finds a template that is too large for a request."""
        bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
        self.stage.client("s3").put_object(
            Bucket=bucket, Key="rehearsal.json", Body=json.dumps(template).encode()
        )
        return f"https://s3.{REGION}.amazonaws.com/{bucket}/rehearsal.json"

    def _memory(self) -> int:
        found = self.stage.client("lambda").get_function_configuration(
            FunctionName=self.stage.output("Chat", "MessageFunctionName")
        )
        return int(found["MemorySize"])

    def _count(self, table: str) -> int:
        pages = self.stage.client("dynamodb").get_paginator("scan").paginate(TableName=table, Select="COUNT")
        return sum(page["Count"] for page in pages)

    def _sessions(self, table: str) -> frozenset[str]:
        """The keys of the sessions, without the connections, which come and go."""
        pages = self.stage.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return frozenset(
            item["pk"]["S"] for page in pages for item in page["Items"] if item["sk"]["S"] != "CONNECTION"
        )

    def _tables(self, holdings: Holdings) -> dict[str, str]:
        """The two tables' names, which the stacks no longer tell."""
        prefix = f"MangaAssist-{ENVIRONMENT.environment}-"
        return {
            name: next(
                physical_id
                for logical_id, physical_id in holdings.resources[prefix + stack].items()
                if logical_id.startswith(logical)
            )
            for name, stack, logical in (
                ("Catalogue", "Ingest", "Catalogue"),
                ("Sessions", "Sessions", "Table"),
            )
        }


def _named(keys: Collection[Key]) -> str:
    return ", ".join(sorted(f"{key.type} {key.physical_id}" for key in keys)) or "none"
