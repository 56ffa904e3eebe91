"""The gaps of MiniStack 1.5.33 that matter here, each closed by one module with an ``apply()``.

Every module says what the gap is. ``tests/functional/twin/test_emulator_patches.py`` runs each behaviour against a
stock and a patched emulator: the stock half fails on the day upstream no longer needs the patch.
"""

from __future__ import annotations

from importlib import import_module

NAMES = (
    "stub_types",
    "stack_looks",
    "metric_math_alarms",
    "global_table_update",
    "table_ttl",
    "table_protection",
    "http_api_cors",
    "vpc_cidr_block",
    "user_pool_provider_url",
    "secret_strings",
    "websocket_functions",
    "websocket_load",
    "websocket_frames",
    "websocket_handshake",
    "websocket_limits",
    "websocket_gone",
    "websocket_close_code",
    "function_errors",
    "embedded_metrics",
    "configuration_validators",
    "iam_actions",
    "iam_configuration_data",
    "iam_leading_keys",
    "iam_plain_http",
    "iam_provisioned_concurrency",
    "lambda_interpreter",
    "lambda_addresses",
    "lambda_layers",
    "lambda_layer_files",
    "state_files",
)
"""Modules of this package, in the order they are applied."""


def apply_all() -> None:
    """Apply every patch, once, before the server starts."""
    for name in NAMES:
        import_module(f"{__name__}.{name}").apply()
