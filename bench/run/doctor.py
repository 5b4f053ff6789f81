"""`maskbench doctor`: a check of the installation.

schema 1 · sound (true if everything needed offline is present; otherwise the exit code is 2) · environment (versions,
platform, device) · models[], extractors[], extras[] {name, usable, text}
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.document.model import Document, Facts, Pairs, Section
from bench.features.sources import EXTRACTORS, resolve
from bench.grid.sections import ExecutionSection
from bench.run import environment
from maskgit.checkpoints.locate import bundled, locate
from maskgit.errors import MaskgitError
from maskgit.extras import EXTRAS, install_line, installed

DIGITS = 16  # shown of a sha256


@dataclass(frozen=True)
class Part:
    """A model, an extractor or an extra.

    Attributes:
        name: Its name.
        usable: True if it can be used.
        text: The hash of its weights, or a line that says what is missing.
    """

    name: str
    usable: bool
    text: str


@dataclass(frozen=True)
class Health:
    """The contents of an installation.

    Attributes:
        environment: Versions, platform and device.
        models: The bundled models.
        extractors: The extractors.
        extras: The optional packages.
    """

    environment: dict[str, Any]
    models: tuple[Part, ...]
    extractors: tuple[Part, ...]
    extras: tuple[Part, ...]

    @property
    def sound(self) -> bool:
        """True if everything needed offline is present; the weights of an extractor may still have to be downloaded."""
        return all(model.usable for model in self.models)


def examine() -> Health:
    """Look for everything that maskbench ships with or needs."""
    described = environment.describe(environment.resolve_device("auto"), environment.threads(ExecutionSection()))
    models, extractors = map(_model, bundled()), map(_extractor, EXTRACTORS)
    extras = (_extra(module, extra) for module, extra in EXTRAS.items())
    return Health(described, tuple(models), tuple(extractors), tuple(extras))


def doctor_document(health: Health) -> Document:
    """The report for people."""
    versions = tuple((name, "–" if value is None else str(value)) for name, value in health.environment.items())
    models = Section("Bundled models", (Facts(_pairs(health.models, "✗")),))
    extractors = Section("Extractors", (Facts(_pairs(health.extractors, "–")),))
    extras = Section("Extras", (Facts(_pairs(health.extras, "–")),))
    return Document("maskbench doctor", (Facts(versions), models, extractors, extras))


def as_content(health: Health) -> dict[str, Any]:
    """The report for programs."""
    return {"schema": 1, "sound": health.sound, **asdict(health)}


def _pairs(parts: tuple[Part, ...], unusable: str) -> Pairs:
    return tuple((part.name, f"{'✓' if part.usable else unusable} {part.text}") for part in parts)


def _model(name: str) -> Part:
    try:
        return Part(name, True, locate(name, Path.cwd()).fingerprint[:DIGITS])
    except MaskgitError as error:
        return Part(name, False, str(error))


def _extractor(name: str) -> Part:
    try:
        return Part(name, True, resolve(name).sha256[:DIGITS])
    except MaskgitError as error:
        return Part(name, False, str(error))


def _extra(module: str, extra: str) -> Part:
    """An optional package, with its name or the line that installs it."""
    return Part(extra, True, module) if installed(module) else Part(extra, False, install_line(module))
