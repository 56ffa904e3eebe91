"""The AWS emulator of the twin: MiniStack, started with its gaps closed in memory.

``python -m tools.twin.emulator`` runs with the interpreter of the emulator's own virtual environment
(``requirements.txt``), and takes MiniStack's environment variables plus these:

    TWIN_LAMBDA_PYTHON            interpreter of Python functions (``patches/lambda_interpreter.py``)
    TWIN_<SERVICE>_<ATTRIBUTE>    attribute of a recorded resource (``patches/stub_types.py``)

Besides AWS it serves ``/_twin/health``, ``/_twin/faults``, ``/_twin/traces`` and ``/_twin/save`` (``control.py``).
"""
