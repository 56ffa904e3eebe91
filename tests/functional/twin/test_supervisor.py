"""Starting and stopping: with small stand-ins for the services, and every way it can go wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import psutil
import pytest

from tests.functional.twin.emulators import free_port, until
from tools.twin import deployment, processes, services
from tools.twin.errors import TwinError
from tools.twin.interpreters import check_python, emulator_python, lambda_python
from tools.twin.layout import PORTS, SERVICES, Held, Layout
from tools.twin.state import Record, alone
from tools.twin.supervisor import Progress, Twin

ALL = ", ".join(SERVICES)
HEALTHY = """
import http.server, json, signal, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        faults = {"services": ["%(name)s"], "faults": {"%(name)s": {"kind": "error", "hits": 0}}}
        body = json.dumps(faults if self.path.endswith("faults") else {"status": "ok"}).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    do_POST = do_PUT = do_DELETE = do_GET
    def log_message(self, *a): pass
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
http.server.HTTPServer(("127.0.0.1", %(port)d), Handler).serve_forever()
"""


def nothing(layout: Layout, on_progress: Progress) -> None:
    """A deployment or a load that has nothing to do."""


def stand_ins(layout: Layout, **programs: str) -> list[processes.Service]:
    """A tiny server for each of the services, or the program given for it."""
    return [
        processes.Service(
            name,
            [sys.executable, "-c", programs.get(name, HEALTHY % {"name": name, "port": port})],
            processes.base_environment(),
            f"http://127.0.0.1:{port}/_twin/health",
            layout.log(name),
            layout.home,
        )
        for name, port in layout.ports.items()
    ]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, free_port_base())


def free_port_base() -> int:
    """The first of enough free ports; each test has its own."""
    while True:
        base = free_port()
        try:
            for port in range(base, base + PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base


@pytest.fixture
def twin(layout: Layout) -> Iterator[Twin]:
    made = Twin(layout, make_services=stand_ins, deploy_stacks=nothing, load_data=nothing)
    yield made
    made.down()


def pids(layout: Layout) -> set[int]:
    """Every process a twin has ever logged or recorded: the services and the children they told of."""
    children = {
        int(line.split()[1])
        for log in layout.home.glob("logs/*.log")
        for line in log.read_text().splitlines()
        if line.startswith("child")
    }
    record = Record.read(layout)
    return children | {process.pid for process in record.processes} if record else children


def assert_all_gone(gone: set[int]) -> None:
    assert gone
    assert not [pid for pid in gone if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_up_starts_everything_and_down_leaves_nothing(twin: Twin) -> None:
    lines: list[str] = []
    status = twin.up(on_progress=lines.append)
    assert status.is_running
    assert [process.name for process in status.processes] == list(SERVICES)
    assert all(process.is_healthy and process.workers == 1 for process in status.processes)
    assert 0 < status.memory_bytes < status.memory_budget_bytes
    assert lines == [f"starting {ALL}"]
    started = pids(twin.layout)
    assert len(started) == 2 * len(SERVICES)
    twin.down()
    assert_all_gone(started)
    assert not twin.is_running()


def test_a_second_up_uses_what_runs(twin: Twin) -> None:
    twin.up()
    before, lines = pids(twin.layout), list[str]()
    twin.up(on_progress=lines.append)
    assert pids(twin.layout) == before
    assert lines == ["the twin is running already"]


def test_up_after_down_starts_again(twin: Twin) -> None:
    twin.up()
    twin.down()
    before = pids(twin.layout)
    assert twin.up().is_running
    assert_all_gone(before)


def test_a_run_that_ended_between_two_starts_is_completed(twin: Twin) -> None:
    """As after a kill -9 of the supervisor: the record holds the first two services, both well."""
    first = tuple(processes.start(service) for service in stand_ins(twin.layout)[:2])
    processes.wait_until_healthy(first)
    code = services.code_fingerprint()
    Record(twin.layout.port_base, code, first).write(twin.layout)
    assert not twin.is_running()
    assert len(twin.up().processes) == len(SERVICES)
    assert_all_gone({process.pid for process in first})


def test_changed_code_is_started_anew(twin: Twin) -> None:
    twin.up()
    record = Record.read(twin.layout)
    assert record is not None
    replace(record, code="yesterday's").write(twin.layout)
    before = pids(twin.layout)
    twin.up()
    assert_all_gone(before)
    assert twin.is_running()


def test_fresh_forgets_the_state(twin: Twin) -> None:
    twin.up()
    old = twin.layout.state_of("emulator") / "services" / "dynamodb.json"
    old.parent.mkdir(parents=True)
    old.touch()
    twin.up()
    assert old.exists()
    twin.up(fresh=True)
    assert not old.exists()


def test_a_deployment_that_was_cut_off_is_forgotten(layout: Layout) -> None:
    def cut_off(layout: Layout, on_progress: Progress) -> None:
        with deployment._known_to_be_halfway(layout):
            raise KeyboardInterrupt

    def fail(layout: Layout, on_progress: Progress) -> None:
        with deployment._known_to_be_halfway(layout):
            raise TwinError("rolled back")

    for deploy, outcome, first_line in (
        (cut_off, KeyboardInterrupt, f"starting {ALL}"),
        (fail, TwinError, "starting with empty state: the last deployment was cut off"),
        (nothing, None, f"starting {ALL}"),
    ):
        lines: list[str] = []
        twin = Twin(layout, make_services=stand_ins, deploy_stacks=deploy, load_data=nothing)
        if outcome is None:
            twin.up(on_progress=lines.append)
        else:
            with pytest.raises(outcome):
                twin.up(on_progress=lines.append)
        assert lines[0] == first_line
    twin.down()


def test_other_ports_mean_fresh_state(twin: Twin) -> None:
    """Deployed functions hold addresses with the old ports in them."""
    twin.up()
    old = twin.layout.state_of("search") / "index"
    old.mkdir(parents=True)
    twin.down()
    moved = Twin(
        Layout(twin.layout.home, free_port_base()),
        make_services=stand_ins,
        deploy_stacks=nothing,
        load_data=nothing,
    )
    try:
        moved.up()
        assert not old.exists()
    finally:
        moved.down()


def test_another_environment_means_fresh_state(twin: Twin) -> None:
    twin.up()
    old = twin.layout.state_of("emulator") / "services" / "dynamodb.json"
    old.parent.mkdir(parents=True)
    old.touch()
    lines: list[str] = []
    prod = Twin(
        replace(twin.layout, held=Held("prod")),
        make_services=stand_ins,
        deploy_stacks=nothing,
        load_data=nothing,
    )
    status = prod.up(on_progress=lines.append)
    assert not old.exists()
    assert lines[1] == "starting with empty state: it held local, and now prod"
    assert (status.environment, status.profile) == ("prod", "standard")
    record = Record.read(twin.layout)
    assert record is not None
    assert record.held == Held("prod")
    prod.down()


# --- what goes wrong ----------------------------------------------------------------------------------


def test_a_taken_port_is_named_with_its_holder(twin: Twin) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", twin.layout.ports["search"]))
        holder.listen()
        with pytest.raises(TwinError) as refused:
            twin.up()
    line = str(refused.value)
    assert line.startswith(f"port {twin.layout.ports['search']} (search) is taken by ")
    assert f"(pid {os.getpid()})" in line
    assert "--port-base" in line
    assert "\n" not in line
    assert not twin.is_running()


def test_a_start_on_taken_ports_leaves_the_running_twin_and_its_state_alone(twin: Twin) -> None:
    twin.up()
    kept = twin.layout.state_of("emulator") / "kept"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        elsewhere = replace(twin.layout, port_base=holder.getsockname()[1])
        with pytest.raises(TwinError, match="is taken by"):
            Twin(elsewhere, make_services=stand_ins, deploy_stacks=nothing, load_data=nothing).up()
    assert twin.is_running()
    assert kept.exists()
    twin.down()


def test_a_service_that_dies_ends_the_start_with_its_last_words(layout: Layout) -> None:
    def services(layout: Layout) -> list[processes.Service]:
        return stand_ins(layout, search="raise SystemExit('no index here')")

    twin = Twin(layout, make_services=services, deploy_stacks=nothing, load_data=nothing)
    with pytest.raises(TwinError, match="search ended at once: no index here"):
        twin.up()
    assert_all_gone(pids(layout))


def test_a_service_that_never_answers_is_given_up(layout: Layout) -> None:
    service = stand_ins(layout, emulator="import time; print('thinking', flush=True); time.sleep(600)")[0]
    running = processes.start(service)
    until(lambda: Path(running.log).read_text())
    with pytest.raises(TwinError, match="emulator did not become healthy in 0 s: thinking"):
        processes.wait_until_healthy([running], deadline_seconds=0)
    processes.stop([running])


def test_a_service_that_ignores_the_request_is_killed(layout: Layout) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    running = processes.start(stand_ins(layout, emulator=stubborn)[0])
    until(lambda: Path(running.log).read_text())
    processes.stop([running], deadline_seconds=0.1)
    assert_all_gone({running.pid})


def refuse(layout: Layout, on_progress: Progress) -> None:
    raise TwinError("cdk deploy failed: no")


def interrupt(layout: Layout, on_progress: Progress) -> None:
    raise KeyboardInterrupt


def terminate(layout: Layout, on_progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def lose_the_emulator(layout: Layout, on_progress: Progress) -> None:
    boto3.client("lambda", endpoint_url="http://127.0.0.1:9", region_name="us-east-1").list_functions()


def test_an_emulator_that_is_gone_is_one_line(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    twin = Twin(layout, make_services=stand_ins, deploy_stacks=lose_the_emulator, load_data=nothing)
    with pytest.raises(
        TwinError, match="the emulator did not do as asked: Could not connect to the endpoint"
    ):
        twin.up()
    assert_all_gone(pids(layout))


@pytest.mark.parametrize(
    ("deploy", "outcome"),
    [(refuse, TwinError), (interrupt, KeyboardInterrupt), (terminate, KeyboardInterrupt)],
)
def test_whatever_stops_the_way_up_stops_what_was_started(
    layout: Layout, deploy: Callable[[Layout, Progress], None], outcome: type[BaseException]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    twin = Twin(layout, make_services=stand_ins, deploy_stacks=deploy, load_data=nothing)
    with pytest.raises(outcome):
        twin.up()
    assert_all_gone(pids(layout))
    assert not twin.is_running()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_half_finished_run_is_cleaned_up(twin: Twin) -> None:
    twin.up()
    record = Record.read(twin.layout)
    assert record is not None
    os.kill(record.processes[1].pid, signal.SIGKILL)  # as after a crash: all but one live
    until(lambda: record.processes[1].process() is None)
    before = pids(twin.layout) - {psutil.Process().pid}
    twin.up()
    assert twin.is_running()
    assert_all_gone(before - pids_of_children(record.processes[1]))


def pids_of_children(dead: processes.Running) -> set[int]:
    """Children of a process that was killed are nobody's: the test ends them itself."""
    words = [line.split() for line in Path(dead.log).read_text().splitlines() if line.startswith("child")]
    orphan = int(words[0][1])
    psutil.Process(orphan).kill()
    return {orphan}


def test_a_reused_process_id_is_nobodys(layout: Layout) -> None:
    stranger = processes.Running("emulator", os.getpid(), 1.0, "http://127.0.0.1:9/", "no.log")
    Record(layout.port_base, "code", (stranger,)).write(layout)
    twin = Twin(layout, make_services=stand_ins, deploy_stacks=nothing, load_data=nothing)
    assert not twin.is_running()
    twin.down()
    assert psutil.pid_exists(os.getpid())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port_base": 1}'])
def test_an_unreadable_record_is_no_record(layout: Layout, text: str) -> None:
    layout.record.write_text(text)
    assert Record.read(layout) is None


def test_one_command_at_a_time(twin: Twin) -> None:
    code = (
        "import sys, pathlib\n"
        "from tools.twin.layout import Layout\n"
        "from tools.twin.state import alone\n"
        "with alone(Layout(pathlib.Path(sys.argv[1]), 4000)):\n"
        "    print('mine', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(twin.layout.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(TwinError, match=rf"another command is working on this twin \(pid {other.pid}\)"):
            twin.up()
        other.communicate("")
    with alone(twin.layout):
        pass


def test_a_twin_that_is_down_says_how_to_start_it(twin: Twin) -> None:
    for ask in (twin.deploy, twin.faults, twin.clear_faults):
        with pytest.raises(TwinError, match="the twin is not running: start it with `make up`"):
            ask()


def test_faults_go_to_the_server_of_the_service(twin: Twin) -> None:
    twin.up()
    assert set(twin.faults()) == set(SERVICES)
    twin.set_fault("search", {"kind": "error"})
    twin.clear_faults()
    with pytest.raises(
        TwinError, match="no service 'pricing' in the twin: choose one of catalogue, edge, emulator"
    ):
        twin.set_fault("pricing", {"kind": "error"})


def reloads(layout: Layout) -> int:
    return layout.log("catalogue").read_text().splitlines().count("POST /_twin/reload")


@pytest.mark.parametrize(
    ("process", "reloaded"), [("catalogue", 1), ("emulator", 1), ("search", 0)], ids=lambda each: str(each)
)
def test_the_catalogue_looks_again_when_it_or_the_emulator_was_revived(
    layout: Layout, process: str, reloaded: int
) -> None:
    telling = HEALTHY % {"name": "catalogue", "port": layout.ports["catalogue"]}
    telling = telling.replace(
        "    def log_message",
        "    def do_POST(self):\n        print('POST', self.path, flush=True); self.do_GET()\n    def log_message",
    ).replace("do_POST = do_PUT", "do_PUT")

    def made(where: Layout) -> list[processes.Service]:
        return stand_ins(where, catalogue=telling)

    twin = Twin(layout, make_services=made, deploy_stacks=nothing, load_data=nothing)
    try:
        twin.up()
        before = reloads(layout)
        twin.kill(process)
        twin.revive(process)
        assert reloads(layout) - before == reloaded
    finally:
        twin.down()


def test_the_emulator_is_revived_beside_a_dead_catalogue(twin: Twin) -> None:
    twin.up()
    twin.kill("catalogue")
    twin.kill("emulator")
    twin.revive("emulator")
    assert not twin.is_running()
    twin.revive("catalogue")
    assert twin.is_running()


# --- ports, home, interpreters ------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["0", "80", "65535", "many"])
def test_a_port_base_that_cannot_be_is_refused(given: str) -> None:
    with pytest.raises(TwinError, match=f"{given} is no port base"):
        Layout.from_environment(variables={"TWIN_PORT_BASE": given})


def test_home_and_ports_come_from_the_environment_and_arguments_win(tmp_path: Path) -> None:
    variables = {"TWIN_HOME": str(tmp_path), "TWIN_PORT_BASE": "5000"}
    assert Layout.from_environment(variables=variables) == Layout(tmp_path, 5000)
    assert Layout.from_environment(port_base=6000, variables=variables).ports == {
        "emulator": 6000,
        "models": 6001,
        "search": 6002,
        "edge": 6003,
        "partners": 6004,
        "catalogue": 6005,
    }


def test_the_ports_of_the_last_run_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_HOME", str(tmp_path))
    monkeypatch.delenv("TWIN_PORT_BASE", raising=False)
    Record(5100, "code", ()).write(Layout(tmp_path))
    assert Twin.from_environment().layout.port_base == 5100
    assert Twin.from_environment(port_base=5200).layout.port_base == 5200
    monkeypatch.setenv("TWIN_PORT_BASE", "5300")
    assert Twin.from_environment().layout.port_base == 5300


def test_the_environment_of_the_last_run_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_HOME", str(tmp_path))
    assert Twin.from_environment().layout.held == Held("local")
    Record(5100, "code", (), Held("prod", "lean")).write(Layout(tmp_path))
    assert Twin.from_environment().layout.held == Held("prod", "lean")
    assert Twin.from_environment(held=Held()).layout.held == Held("local")


def test_an_old_python_is_refused() -> None:
    with pytest.raises(
        TwinError, match=r"this is Python 3\.10, and the twin needs 3\.11 or newer: run `make setup`"
    ):
        check_python((3, 10))


def test_without_a_network_the_reason_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"left-pad==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(TwinError) as failed:
        emulator_python(cache=tmp_path, requirements=requirements)
    line = str(failed.value)
    assert line.startswith("the emulator's packages could not be installed (")
    assert line.endswith("check the network and run it again")
    assert "\n" not in line
    assert not (tmp_path / "emulator-venv" / "made-from").exists()


def test_the_functions_interpreter_is_bare_and_made_once(tmp_path: Path) -> None:
    python = lambda_python(cache=tmp_path)
    probe = "import importlib.util as u; print(u.find_spec('boto3'), u.find_spec('pip'))"
    seen = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert seen.stdout == "None None\n"
    made = python.parent.parent.stat().st_mtime_ns
    assert lambda_python(cache=tmp_path) == python
    assert python.parent.parent.stat().st_mtime_ns == made
