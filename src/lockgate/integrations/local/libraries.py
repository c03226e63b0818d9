"""The libraries of the running interpreter, which is the one that workers run too."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version

# Imported under another name than they are installed under. Others are found too, at the price of reading every package's list.
_DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python", "sklearn": "scikit-learn", "yaml": "pyyaml"}


class LocalLibraries:
    """A ports.libraries.Libraries."""

    def versions(self, names: Iterable[str]) -> Mapping[str, str]:
        found = {"python": platform.python_version()}
        unknown = []
        for name in names:
            try:
                found[name] = version(_DISTRIBUTIONS.get(name, name))
            except PackageNotFoundError:
                unknown.append(name)
        distributions = packages_distributions() if unknown else {}
        for name in unknown:
            if name in distributions:
                found[name] = version(distributions[name][0])
        return found
