"""Who makes a version into a form, and who asks what was made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lockgate.domain.forms import Asked, Contents, Form


class FormBuilder(Protocol):
    """Each says with its own constructor what it needs besides, such as the base of an image."""

    @property
    def form(self) -> Form: ...

    def build(self, contents: Sequence[Contents], folder: Path) -> Path:
        """The file, made in the folder: whole or not there. The same contents give the same bytes, at any time.

        contents: one version; an image takes several, of different models.

        Raises:
            Invalid: this form cannot hold them. Unavailable: something that is needed to build it is not there.
        """
        ...

    def digest(self, file: Path) -> str:
        """What the built form is known by: see domain.forms.BuiltForm."""
        ...

    def ask(self, file: Path, contents: Contents) -> Asked:
        """Have the form answer the golden rows of one of its versions where nothing is but the form and what it names.

        Raises:
            Invalid: it does not answer. Unavailable: there is nothing here to run it in.
        """
        ...
