"""Who builds each form here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lockgate.domain.forms import Form
from lockgate.integrations.local.data_form import DataFormBuilder
from lockgate.integrations.local.distributions import LocalDistributions
from lockgate.integrations.oci.builder import ImageBuilder
from lockgate.integrations.oci.dockerfile import export
from lockgate.integrations.oci.references import parse
from lockgate.integrations.oci.registry import push
from lockgate.integrations.wheel.builder import WheelBuilder
from lockgate.ports.forms import FormBuilder
from lockgate.usecases.export_image import Export
from lockgate.usecases.list_needs import list_needs
from lockgate.usecases.list_trusted_types import list_trusted_types
from lockgate.usecases.world import World
from lockgate.wiring.home import Home
from lockgate.wiring.signer import open_release_signer

_IMAGES = "images"  # in the cache: parts of images that are the same in the next


def open_builder(home: Home, world: World, form: Form, base: str | None = None) -> FormBuilder:
    """base: of an image; None: the one that is usual."""
    signer = open_release_signer(home)
    match form:
        case Form.WHEEL:
            return WheelBuilder(signer, home.cache / "wheels")
        case Form.DATA:
            return DataFormBuilder(signer, partial(list_trusted_types, world.state), home.folder)
        case Form.IMAGE:
            needs, trusted = partial(list_needs, LocalDistributions()), partial(list_trusted_types, world.state)
            return ImageBuilder(signer, base, home.cache / _IMAGES, needs, trusted)


def open_export(home: Home, world: World, folder: Path, base: str | None) -> Export:
    """Writes the folder that an image is built from; it must not be there. base: as of `open_builder`, but a name."""
    needs, trusted = partial(list_needs, LocalDistributions()), partial(list_trusted_types, world.state)
    signer, cache = open_release_signer(home), home.cache / _IMAGES
    return partial(export, folder=folder, signer=signer, cache=cache, needs=needs, base=base, trusted=trusted)


def open_push(reference: str) -> Callable[[Path], str]:
    """Brings the file of an image to a registry and says by which name it is known there.

    Raises:
        Invalid: the reference is none.
    """
    parse(reference)  # now, and not when the image was built
    return partial(push, reference=reference)
