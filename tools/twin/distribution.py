"""Reading the deployed distribution as CloudFront would: which origin a path goes to, and what it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from xml.etree import ElementTree


@dataclass(frozen=True)
class Behavior:
    """One cache behavior beside the default one."""

    pattern: str
    """Of the path, with ``*`` and ``?``."""
    host: str
    """The origin's domain name."""
    headers: Mapping[str, str]
    """What CloudFront adds, in place of the viewer's headers of the same names; names in lower case."""
    methods: frozenset[str]


def behaviors_in(config: str) -> list[Behavior]:
    """The behaviors of a ``DistributionConfig`` document, in their order."""
    root = _without_namespaces(ElementTree.fromstring(config))  # noqa: S314 - the emulator's own
    origins = {_text(origin, "Id"): origin for origin in root.iterfind("Origins/Items/Origin")}
    return [
        Behavior(
            pattern=_text(found, "PathPattern"),
            host=_text(origins[_text(found, "TargetOriginId")], "DomainName"),
            headers={
                _text(header, "HeaderName").lower(): _text(header, "HeaderValue")
                for header in origins[_text(found, "TargetOriginId")].iterfind(
                    "CustomHeaders/Items/OriginCustomHeader"
                )
            },
            methods=frozenset(method.text or "" for method in found.iterfind("AllowedMethods/Items/Method")),
        )
        for found in root.iterfind("CacheBehaviors/Items/CacheBehavior")
    ]


def behavior_of(behaviors: Iterable[Behavior], path: str) -> Behavior | None:
    """The first whose pattern fits ``path``; ``None`` stands for the default behavior."""
    return next((each for each in behaviors if fnmatchcase(path, each.pattern)), None)


def _without_namespaces(root: ElementTree.Element) -> ElementTree.Element:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(element: ElementTree.Element, path: str) -> str:
    return element.findtext(path) or ""
