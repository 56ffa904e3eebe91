"""Which requirement ids the last full test run proved, and which no passing test names."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "test-results" / "requirements"
"""One file per part of the tests that ran as a whole (``tests/conftest.py``)."""

Proven = dict[str, dict[str, list[str]]]


def known() -> list[str]:
    """Every id of docs/requirements.md, in its order."""
    text = (ROOT / "docs" / "requirements.md").read_text()
    return re.findall(r"^- ([A-Z]{2,3}-\d+)", text, re.MULTILINE)


def recorded() -> Proven:
    """Node ids by requirement and verdict, over all parts."""
    found: Proven = {}
    for path in sorted(RECORDS.glob("*.json")):
        for requirement, verdicts in json.loads(path.read_text())["requirements"].items():
            both = found.setdefault(requirement, {"passed": [], "failed": []})
            for verdict, nodes in verdicts.items():
                both[verdict] += nodes
    return found


def main() -> int:
    """Print the state; 1 when a test names an id that does not exist, or no run has been recorded."""
    proven = recorded()
    if not proven:
        print("requirements: no test run recorded yet; run: make test", file=sys.stderr)
        return 1
    ids = known()
    for requirement in ids:
        verdicts = proven.get(requirement, {"passed": [], "failed": []})
        if verdicts["passed"] and not verdicts["failed"]:
            print(f"  proven    {requirement:8} by {len(verdicts['passed'])} tests")
    failing = [one for one in ids if proven.get(one, {}).get("failed")]
    open_ids = [one for one in ids if one not in proven]
    for requirement in failing:
        print(f"  FAILING   {requirement:8} {proven[requirement]['failed'][0]}")
    print(f"  not yet   {' '.join(open_ids)}")
    print(f"\n{len(ids) - len(open_ids) - len(failing)} of {len(ids)} proven, {len(failing)} failing")
    if strangers := sorted(set(proven) - set(ids)):
        print(f"requirements: tests name ids that do not exist: {' '.join(strangers)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
