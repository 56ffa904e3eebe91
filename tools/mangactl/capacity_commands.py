"""``mangactl capacity``: what is raised and bought around sales, what it costs, and what a load needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from mangaassist.adapters.dynamodb_capacity import DynamoDBCapacity
from mangaassist.capacity.calendar import Window, sale_calendar
from mangaassist.capacity.offers import offers, traffic
from mangaassist.capacity.resources import RESOURCES, Resource
from stacks.environments import ENVIRONMENTS, PROFILES, EnvironmentSettings, environment_named
from stacks.raised import raised_resources
from tools.cost.idle import idle_cost, total
from tools.cost.planner import message_cost, size, throughput_options, value
from tools.cost.prices import prices, quotas, workload
from tools.mangactl.environments import LOCAL, Environment
from tools.mangactl.failures import BadArgument, CommandFailure
from tools.mangactl.options import EnvironmentOption, JsonOption
from tools.mangactl.output import show, table

app = typer.Typer(
    rich_markup_mode=None, help="Capacity around sales: plan it, price it, raise it now, see where it stands."
)
ProfileOption = Annotated[str, typer.Option("--profile", help="standard or lean.")]


@app.command()
def plan(
    environment: EnvironmentOption = "prod",
    profile: ProfileOption = "standard",
    days: Annotated[int, typer.Option(min=1, max=366, help="How far to look ahead.")] = 90,
    since: Annotated[
        datetime | None,
        typer.Option("--from", help="Plan from this day (UTC); else from now.", show_default=False),
    ] = None,
    messages_per_second: Annotated[
        float | None, typer.Option(min=0.1, help="Also size for this load.", show_default=False)
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, help="Connected at once, for the sizing.")] = 500_000,
    as_json: JsonOption = False,
) -> None:
    """What the sale calendar raises and buys in an environment, and what a load needs. Needs no deployment."""
    settings = _settings(environment, profile)
    start = since.replace(tzinfo=UTC) if since else datetime.now(UTC)
    resources = RESOURCES.validate_python(raised_resources(settings))
    rows = [_window_row(window, resources, settings) for window in _windows(settings, start, days)]
    document: dict[str, Any] = {
        "environment": environment,
        "profile": profile,
        "calendar": sale_calendar().version,
        "base": {each.name: each.base for each in resources},
        "windows": rows,
        "throughput": [
            {**each.model_dump(mode="json"), "note": offers().purchasable(each.model_id).note}
            for each in settings.capacity.throughput
        ],
    }
    parts: list[RenderableType] = [_windows_table(document, resources)]
    if messages_per_second is not None:
        needed = size(messages_per_second, sessions, workload(), quotas())
        document["sizing"] = {
            **asdict(needed),
            "cells": needed.cells,
            "needs": [{**asdict(need), "times_quota": need.times_quota} for need in needed.needs],
        }
        parts.append(_sizing_table(document["sizing"]))
    show(document, Group(*parts), as_json=as_json)


@app.command()
def cost(
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment", "-e", help="One environment; all of them without it.", show_default=False
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="standard or lean; both without it.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What each environment costs idle and per message, before anything is deployed. Prices are dated list prices."""
    chosen = [
        _settings(name, each)
        for name in ([environment] if environment else ENVIRONMENTS)
        for each in ([profile] if profile else PROFILES)
    ]
    rows: list[dict[str, Any]] = []
    for settings in chosen:
        lines = idle_cost(settings)
        message = message_cost(settings, workload(), prices())
        rows.append(
            {
                "environment": settings.name,
                "profile": settings.profile,
                "idle_usd_per_month": total(lines),
                "idle": [asdict(line) for line in lines],
                "message_usd": message.blended,
                "message_variable_usd": message.variable,
                "components": {each.name: each.usd for each in message.components}
                | {"fixed costs, spread": message.fixed},
            }
        )
    shown = chosen[-1] if environment else environment_named("prod")
    worth = value(message_cost(shown, workload(), prices()), workload())
    document: dict[str, Any] = {
        "prices_as_of": prices().as_of.isoformat(),
        "region": prices().region,
        "published_message_usd": workload().published_message_usd,
        "messages_per_month": workload().messages_per_month,
        "environments": rows,
        "throughput": [
            {**asdict(each), "advice": each.advice}
            for each in throughput_options(offers().models, traffic(), workload(), prices())
        ],
        "value": asdict(worth),
        "unconfirmed_prices": {name: prices().prices[name].source for name in prices().unconfirmed()},
    }
    show(document, _cost_tables(document, detailed=len(rows) <= 2), as_json=as_json)


@app.command()
def prewarm(
    now: Annotated[
        str | None,
        typer.Option("--now", metavar="EVENT", help="Raise EVENT's capacity now; it comes down at its end."),
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", metavar="EVENT", help="Take --now back.")
    ] = None,
    environment: EnvironmentOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Run one tick of the pre-warm function: by the calendar, or with an event forced or released."""
    if now and release:
        raise BadArgument("--now and --release contradict each other: give one")
    event = (
        {"action": "force", "event": now}
        if now
        else {"action": "release", "event": release}
        if release
        else {}
    )
    place = Environment.named(environment)
    answer = place.client("lambda").invoke(
        FunctionName=f"{place.outputs('Capacity')['PrewarmFunctionName']}:live", Payload=json.dumps(event)
    )
    document = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CommandFailure(str(document.get("errorMessage", document)))
    show(document, _steps_table(document), as_json=as_json)
    if document["failed"]:
        raise CommandFailure(f"not raised: {', '.join(document['failed'])} (docs/runbooks/prewarm-failed.md)")


@app.command()
def status(environment: EnvironmentOption = LOCAL, as_json: JsonOption = False) -> None:
    """Show where every window and every purchase stands, as the functions remember it."""
    place = Environment.named(environment)
    store = DynamoDBCapacity(place.client("dynamodb"), place.outputs("CapacityState")["CapacityTableName"])
    document = {
        "environment": environment,
        "windows": [record.model_dump(mode="json") for record in store.windows()],
        "throughput": [record.model_dump(mode="json") for record in store.throughputs()],
        "published": dict(store.published()),
    }
    show(document, _status_tables(document), as_json=as_json)


# --- inside ---------------------------------------------------------------------------------------------


def _settings(environment: str, profile: str) -> EnvironmentSettings:
    try:
        return environment_named(environment, profile)
    except ValueError as error:
        raise BadArgument(str(error)) from None


def _windows(settings: EnvironmentSettings, start: datetime, days: int) -> list[Window]:
    """Every event of the span, and the daily window once."""
    calendar = sale_calendar()
    found: dict[str, Window] = {}
    moment, end = start, start + timedelta(days=days)
    moments = [moment, *(event.starts_at for event in calendar.events)]
    if calendar.business_hours is not None:
        moments.append(datetime.combine(start.date(), calendar.business_hours.opens_utc, UTC))
    for each in moments:
        if each < end:
            for window in calendar.open_windows(each, business_hours=settings.capacity.business_hours):
                if window.ends_at > start:
                    found.setdefault(window.id, window)
    return sorted(found.values(), key=lambda window: window.starts_at)


def _window_row(
    window: Window, resources: tuple[Resource, ...], settings: EnvironmentSettings
) -> dict[str, Any]:
    concurrency = -(-window.expected_concurrency * settings.capacity.calendar_share_percent // 100)
    return {
        "id": window.id,
        "raise_at": window.raise_at.astimezone(UTC).isoformat(timespec="minutes"),
        "starts_at": window.starts_at.astimezone(UTC).isoformat(timespec="minutes"),
        "ends_at": window.ends_at.astimezone(UTC).isoformat(timespec="minutes"),
        "concurrency": concurrency,
        "units": {each.name: each.units(concurrency) for each in resources},
        "capped": [each.name for each in resources if each.is_capped(concurrency)],
    }


def _windows_table(document: dict[str, Any], resources: tuple[Resource, ...]) -> RenderableType:
    names = [each.name for each in resources]
    listed = table(
        "window",
        "raised (UTC)",
        "starts",
        "ends",
        "shoppers",
        *names,
        title=f"{document['environment']} raises",
    )
    base = (str(document["base"][name]) for name in names)
    listed.add_row("(ordinary days)", "", "", "", "", *base)
    for row in document["windows"]:
        units = (f"{row['units'][name]}{'*' if name in row['capped'] else ''}" for name in names)
        listed.add_row(
            row["id"], row["raise_at"], row["starts_at"], row["ends_at"], str(row["concurrency"]), *units
        )
    note = (
        "* less than it needs: the ceiling of the environment\n"
        if any(row["capped"] for row in document["windows"])
        else ""
    )
    bought = ", ".join(each["model_id"] for each in document["throughput"]) or "none"
    return Group(listed, f"{note}model throughput bought before sales: {bought}\n")


def _sizing_table(sizing: dict[str, Any]) -> RenderableType:
    listed = table(
        "needs",
        "amount",
        "unit",
        "x default quota",
        "of",
        title=f"{sizing['messages_per_second']:,.0f} messages/s, {sizing['sessions']:,} sessions, "
        f"{sizing['concurrency']:,} answers at once",
    )
    for need in sizing["needs"]:
        times = need["times_quota"]
        listed.add_row(
            need["name"],
            f"{need['amount']:,.0f}",
            need["unit"],
            "" if times is None else f"{times:,.1f}",
            need["scope"],
        )
    return Group(listed, f"raise these quotas, or split over {sizing['cells']} cells (account and Region)")


def _cost_tables(document: dict[str, Any], *, detailed: bool) -> RenderableType:
    overview = table(
        "environment",
        "profile",
        "idle USD/month",
        "USD/message",
        title=f"list prices of {document['prices_as_of']}, {document['region']}; "
        f"{document['messages_per_month']:,} messages a month",
    )
    parts: list[RenderableType] = [overview]
    for row in document["environments"]:
        overview.add_row(
            row["environment"],
            row["profile"],
            f"{row['idle_usd_per_month']:,.2f}",
            f"{row['message_usd']:.5f}",
        )
    if detailed:
        for row in document["environments"]:
            idle = table(
                "stack", "item", "USD/month", "how", title=f"\nidle: {row['environment']} {row['profile']}"
            )
            for line in row["idle"]:
                idle.add_row(line["concern"], line["item"], f"{line['usd_per_month']:,.2f}", line["how"])
            parts.append(idle)
        components = table("component", "USD/message", "share", title="\na message")
        last = document["environments"][0]
        for name, usd in sorted(last["components"].items(), key=lambda pair: -pair[1]):
            components.add_row(name, f"{usd:.6f}", f"{100 * usd / last['message_usd']:.1f}%")
        parts.append(components)
    bought = table(
        "model", "units", "bought/month", "on demand/month", "break-even use", "", title="\nthroughput"
    )
    for each in document["throughput"]:
        cells = (
            ("", "", "", "")
            if each["units"] is None
            else (
                str(each["units"]),
                f"{each['bought_usd_per_month']:,.0f}",
                f"{each['on_demand_usd_per_month']:,.0f}",
                f"{100 * each['break_even_utilisation']:,.0f}%",
            )
        )
        bought.add_row(each["model_id"], *cells, each["advice"])
    worth = document["value"]
    low, high = document["published_message_usd"]
    parts += [
        bought,
        f"\npublished: {low} to {high} USD a message"
        f"\na resolved conversation costs {worth['resolved_conversation_usd']:.4f} USD; it pays for itself when "
        f"{100 * worth['break_even_deflection']:.2f}% of conversations spare a human contact"
        f"\nprices that could not be confirmed: {', '.join(document['unconfirmed_prices'])}",
    ]
    return Group(*parts)


def _steps_table(document: dict[str, Any]) -> RenderableType:
    listed = table("resource", "state", "wanted", "seen", "tries", "error")
    for name, step in document["steps"].items():
        seen = "" if step["seen"] is None else str(step["seen"])
        listed.add_row(
            name, step["state"], str(step["wanted"]), seen, str(step["attempts"]), step["error"] or ""
        )
    windows = ", ".join(document["windows"]) or "no window is open"
    return Group(f"{document['now']}  {windows}", listed)


def _status_tables(document: dict[str, Any]) -> RenderableType:
    windows = table(
        "window", "state", "ends", "forced", "resource", "step", "wanted", "seen", "tries", "error"
    )
    for record in sorted(document["windows"], key=lambda each: each["starts_at"] or ""):
        first = (record["id"], record["state"], record["ends_at"] or "", record["forced_at"] or "")
        for name, step in record["steps"].items():
            seen = "" if step["seen"] is None else str(step["seen"])
            rest = (
                name,
                step["state"],
                str(step["wanted"]),
                seen,
                str(step["attempts"]),
                step["error"] or "",
            )
            windows.add_row(*first, *rest)
            first = ("", "", "", "")
    bought = table(
        "model", "state", "units", "name", "resolves to", "error", "used by day", title="\nthroughput"
    )
    for record in document["throughput"]:
        used = ", ".join(f"{day[5:]} {100 * share:.0f}%" for day, share in record["utilisation"].items())
        bought.add_row(
            record["model_id"],
            record["state"],
            str(record["units"]),
            record["name"],
            document["published"].get(record["model_id"], "on demand"),
            record["error"] or "",
            used,
        )
    return Group(windows if document["windows"] else "no window was opened yet", bought)
