"""The local twin: AWS for this product on one machine, without an account.

    from tools.twin.supervisor import Twin, TwinError

    twin = Twin.from_environment(port_base=None)  # TWIN_HOME, TWIN_PORT_BASE; an argument wins
    twin.up(fresh=False, on_progress=print)  # start, deploy, load; returns the status; runs on behind it
    twin.status()  # TwinStatus: processes with pid, port, memory and health; urls
    twin.deploy(on_progress=print)  # synthesize and deploy what changed
    twin.down(on_progress=print)  # stop everything and verify that it is gone
    twin.faults()  # {service: fault} over every server of the twin
    twin.set_fault("bedrock-runtime", {"kind": "throttle", "share": 0.5})
    twin.clear_faults("bedrock-runtime")  # without a name: all
    twin.outputs()  # {"Chat": {"WebSocketUrl": ...}, ...} as the stacks of this environment put them out
    twin.urls()  # .page .api .websocket .management .emulator .models .search: reachable from this machine
    twin.is_running()  # every process of the twin lives

Every failure is a ``TwinError`` whose text is one line that says what to do. ``python -m tools.twin`` offers
the same from a shell. This package imports nothing by itself: the emulator runs parts of it in a virtual
environment of its own.
"""
