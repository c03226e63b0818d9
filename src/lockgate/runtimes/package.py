"""The files of a model package, every byte verified by its digest at every load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path

from lockgate.boundary.folder import check_names
from lockgate.boundary.manifest import Manifest, decode, verify
from lockgate.kernel.digest import PREFIX
from lockgate.kernel.errors import Invalid, NotFound

MANIFEST, FILES = "manifest.json", "files"  # as in boundary.bundles, which signs too and so needs more than a package may have


class Files(Mapping[str, memoryview]):
    """The content of each file by its name, mapped into memory and verified; `path` says where it lies."""

    def __init__(self, paths: Mapping[str, Path], manifest: Manifest) -> None:
        self._paths = {file.name: paths[file.name] for file in manifest.files}
        self._contents = {file.name: _mapped(self._paths[file.name], file.name, file.digest) for file in manifest.files}
        for file in manifest.files:
            verify(self._contents[file.name], file.digest, file.name)

    def __getitem__(self, name: str) -> memoryview:
        try:
            return self._contents[name]
        except KeyError:
            raise Invalid(f"the package has no file {name!r}; it has {', '.join(self._contents)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def path(self, name: str) -> Path:
        self[name]
        return self._paths[name]

    def under(self, folder: str) -> Files:
        """Those whose names begin with `folder`, by the rest of their names. Nothing is mapped or verified again."""
        return self.renamed({name.removeprefix(folder): name for name in self if name.startswith(folder)})

    def renamed(self, sources: Mapping[str, str]) -> Files:
        """Some of them, under other names. sources: our name of each."""
        return _Some(
            {name: self.path(source) for name, source in sources.items()},
            {name: self[source] for name, source in sources.items()},
        )

    def only(self, suffix: str) -> str:
        """The name of the one file that ends so.

        Raises:
            Invalid: none does, or several do.
        """
        names = [name for name in self if name.endswith(suffix)]
        if len(names) != 1:
            raise Invalid(f"{len(names)} files of the package end in {suffix}, one expected")
        return names[0]


class _Some(Files):
    """Some of the files of another package."""

    def __init__(self, paths: dict[str, Path], contents: dict[str, memoryview]) -> None:
        self._paths = paths
        self._contents = contents


def read(artifacts: Path, digest: str) -> tuple[Manifest, Files]:
    """The manifest behind `digest` and its files, all of them verified.

    artifacts: folder with a file `ab/cdef…` for the digest `sha256:abcdef…`.

    Raises:
        NotFound: a file is missing. Corrupt: its bytes are not those of its digest. Invalid: it is no package.
    """
    manifest = decode(bytes(_mapped(_path(artifacts, digest), "the manifest", digest)), digest)
    return manifest, Files({file.name: _path(artifacts, file.digest) for file in manifest.files}, manifest)


def read_folder(folder: Path, digest: str) -> tuple[Manifest, Files]:
    """The same, of a package that lies in a folder by the names of its members (see boundary.bundles).

    Raises:
        NotFound, Corrupt, Invalid: as `read`; Invalid too if a file's name is no plain path.
    """
    manifest = decode(bytes(_mapped(folder / MANIFEST, "the manifest", digest)), digest)
    check_names(file.name for file in manifest.files)
    return manifest, Files({file.name: folder / FILES / file.name for file in manifest.files}, manifest)


def _path(artifacts: Path, digest: str) -> Path:
    digits = digest.removeprefix(PREFIX)
    if not digits.isalnum():
        raise Invalid(f"{digest[:80]!r} is no digest")
    return artifacts / digits[:2] / digits[2:]


def _mapped(path: Path, what: str, digest: str) -> memoryview:
    """The file's bytes, shared with every process that maps them: a page is in memory once, and only if somebody looks at it."""
    try:
        with path.open("rb") as file:
            empty = not file.seek(0, 2)
            return memoryview(b"") if empty else memoryview(mmap(file.fileno(), 0, access=ACCESS_READ))
    except OSError as error:
        raise NotFound(f"{what}: artifact {digest} cannot be read: {error.strerror}") from error
