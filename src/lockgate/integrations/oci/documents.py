"""What an image says of itself: its config, its manifest, the papers beside it, and the indices that name them.

Nothing of it tells when or where it was made: the same contents on the same base give the same digest.
Sources: OCI image config.md and annotations.md 1.1, «referrers» of the distribution specification 1.1; Docker's HEALTHCHECK.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lockgate.boundary import bundles, libraries, statements
from lockgate.boundary.envelopes import IN_TOTO
from lockgate.boundary.images import REF_NAME, TITLE
from lockgate.boundary.quiet import QUIET
from lockgate.domain.forms import Contents
from lockgate.integrations.oci.bases import Base, settings
from lockgate.integrations.oci.contained import APART, APP, LIB, MODEL, TRUSTED
from lockgate.integrations.oci.media import (
    CONFIG,
    EMPTY,
    INDEX,
    MANIFEST,
    NOTHING,
    Descriptor,
    Index,
    Manifest,
    describe,
    encode,
)
from lockgate.integrations.oci.reading import place
from lockgate.kernel.digest import canonical_json
from lockgate.ports.signer import Signer

PORT = 8080
USER = "65532:65532"  # nobody in particular, as others' images without root have it
_EPOCH = "1970-01-01T00:00:00Z"
_ENVELOPE = "application/vnd.dsse.envelope.v1+json"
_PREDICATE = "in-toto.io/predicate-type"
_SECOND = 10**9  # Docker counts nanoseconds
_READY = (  # with as few imports as can be: it is run again and again, beside a start that needs the processor
    f"import socket;c=socket.create_connection(('127.0.0.1',{PORT}),3);"
    r"c.sendall(b'GET /v2/health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');"
    "raise SystemExit(b' 200 ' not in c.recv(64))"
)


class Image(NamedTuple):
    """descriptor: of the manifest. documents: all but layers, by digest. papers: manifests of what lies beside the image."""

    descriptor: Descriptor
    manifest: Manifest
    papers: tuple[Descriptor, ...]
    documents: dict[str, bytes]


def name_of(contents: Sequence[Contents]) -> tuple[str, str]:
    """Name and tag, as `flight-delay` and `7`; of several models both are joined."""
    releases = sorted((one.release for one in contents), key=lambda one: one.model)
    return "-and-".join(one.model for one in releases), "-".join(str(one.version) for one in releases)


def image_of(
    base: Base, layers: Sequence[Descriptor], words: Sequence[str], contents: Sequence[Contents], signer: Signer
) -> Image:
    """layers: ours, not compressed, so that each one's digest is its content's too. words: as of `entrypoint`."""
    labels = _labels(base, contents)
    config = canonical_json(_config(base, layers, words, labels))
    told = Manifest(describe(config, CONFIG), (*base.layers, *layers), 2, MANIFEST, annotations=labels)
    manifest = encode(told)
    found = describe(manifest, MANIFEST)
    documents = {told.config.digest: config, found.digest: manifest}
    papers = _papers(found, contents, signer, documents)
    return Image(found, told, papers, documents)


def layout_index(image: Image, contents: Sequence[Contents]) -> bytes:
    """Of the layout: the image under its tag, and what lies beside it, which its `subject` binds to it."""
    name, tag = name_of(contents)
    named = {REF_NAME: tag, "io.containerd.image.name": f"docker.io/library/{name}:{tag}"}
    first = Descriptor(MANIFEST, image.descriptor.digest, image.descriptor.size, named)
    return encode(Index((first, *image.papers), 2, INDEX))


def saved_index(image: Image, contents: Sequence[Contents]) -> bytes:
    """`manifest.json`, by which `docker load` finds the same image in the same blobs."""
    layers = [place(one.digest) for one in image.manifest.layers]
    tag = ":".join(name_of(contents))
    return canonical_json([{"Config": place(image.manifest.config.digest), "RepoTags": [tag], "Layers": layers}])


def entrypoint(python: str, contents: Sequence[Contents], types: Sequence[str]) -> list[str]:
    """What whoever starts it says besides is added, and counts where it says the same again. types: that it trusts."""
    packages = [word for one in contents for word in ("--package", f"/{MODEL}/{one.release.model}")]
    listening = ["--host", "0.0.0.0", "--port", str(PORT), "--public", "--plain-http"]  # noqa: S104 - of its container
    trusting = ["--trusted-keys", f"/{TRUSTED}", *(word for one in types for word in ("--trusted-type", one))]
    return [python, "-m", "lockgate.serving", *listening, *trusting, *packages]


def environment() -> dict[str, str]:
    """No bytecode: nothing of the image may be written. Nothing is imported from where it happens to be started."""
    return {
        "PYTHONPATH": f"/{LIB}:/{APP}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        libraries.VARIABLE: f"/{APART}",
        **QUIET,
    }


def health(python: str) -> dict[str, Any]:
    """As HEALTHCHECK has it, in nanoseconds. Each second until it is ready or two minutes have passed, where an engine knows
    that (Docker 25); then, and by engines before, each five.
    """
    times = {"Interval": 5 * _SECOND, "Timeout": 5 * _SECOND, "StartPeriod": 120 * _SECOND, "StartInterval": _SECOND}
    return {"Test": ["CMD", python, "-I", "-S", "-c", _READY], **times, "Retries": 3}


def _config(base: Base, layers: Sequence[Descriptor], words: Sequence[str], labels: dict[str, str]) -> dict[str, Any]:
    told = settings(base)
    ours = environment()
    kept = [one for one in told.get("Env") or () if one.partition("=")[0] not in ours]
    runs = {
        "User": USER,
        "WorkingDir": "/",
        "Env": [*kept, *(f"{name}={value}" for name, value in sorted(ours.items()))],
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "Entrypoint": list(words),
        "Healthcheck": health(words[0]),
        "Labels": labels,
        "StopSignal": "SIGTERM",
    }
    below = [{"created": _EPOCH, "created_by": "base image"} for _ in base.layers]
    above = [{"created": _EPOCH, "created_by": f"lockgate: {one.annotations[TITLE]}"} for one in layers]
    diffs = [*base.config.rootfs.diff_ids, *(one.digest for one in layers)]
    machine = {"architecture": base.config.architecture, "os": base.config.os}
    variant = {"variant": base.config.variant} if base.config.variant else {}
    rootfs = {"type": "layers", "diff_ids": diffs}
    return {**machine, **variant, "created": _EPOCH, "config": runs, "rootfs": rootfs, "history": below + above}


def _labels(base: Base, contents: Sequence[Contents]) -> dict[str, str]:
    releases = [one.release for one in contents]
    commits = [one.manifest.lineage.commit for one in contents]
    told = {
        "org.opencontainers.image.title": ", ".join(one.model for one in releases),
        "org.opencontainers.image.version": ", ".join(str(one.version) for one in releases),
        "org.opencontainers.image.revision": ", ".join(filter(None, commits)),
        "org.opencontainers.image.base.name": base.name,
        "org.opencontainers.image.base.digest": base.digest,
        "dev.lockgate.package": " ".join(one.digest for one in releases),
        "dev.lockgate.provenance": " ".join(one.provenance for one in releases),
        "dev.lockgate.sbom": " ".join(filter(None, (one.sbom for one in releases))),
    }
    return {name: value for name, value in told.items() if value}


def _papers(
    image: Descriptor, contents: Sequence[Contents], signer: Signer, documents: dict[str, bytes]
) -> tuple[Descriptor, ...]:
    """A manifest for each paper, whose subject is the image; its documents are added to the others."""
    found = []
    documents[describe(NOTHING, EMPTY).digest] = NOTHING
    for one in contents:
        release = one.release
        said = bundles.signature({release.model: image.digest}, release, signer)
        kinds = ((statements.PROVENANCE, release.provenance), (statements.BILL, release.sbom))
        papers = [(kind, one.papers[digest]) for kind, digest in kinds if digest]
        for kind, paper in (*papers, (statements.RELEASE, said)):
            annotations = {_PREDICATE: kind, "dev.lockgate.release": f"{release.model}:{release.version}"}
            envelope = describe(paper, _ENVELOPE)
            content = encode(Manifest(describe(NOTHING, EMPTY), (envelope,), 2, MANIFEST, IN_TOTO, image, annotations))
            descriptor = describe(content, MANIFEST, artifact_type=IN_TOTO, annotations=annotations)
            documents |= {envelope.digest: paper, descriptor.digest: content}
            found.append(descriptor)
    return tuple(found)
