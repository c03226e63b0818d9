"""Open a skops file, building nothing but what the platform trusts. The list is here and in the policy, never in an artifact.

skops stores objects as data, with the names of the classes and functions to rebuild them from; opening a file is as safe as
these names. Trusting all of a library would not do: its modules hold names imported from elsewhere (a file could name
`urlretrieve` by way of a data set's module) and classes that run text as code when their state is set (scipy.stats). So a name
must be a class that its own module defines, in a part of the library that holds models, or be one of a few by name.

This keeps code out, not nonsense: scikit-learn's trees do not check their own arrays, so a forged one can crash the process. That
is one more reason why these packages run in processes of their own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import skops.io

from lockgate.boundary.trusted_types import NONE, TrustedTypes, refusal_of, told
from lockgate.runtimes.failures import failing_as_runtime
from lockgate.runtimes.model import RuntimeFailure

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Trusted:
    """What may be rebuilt beside skops's own list (numpy, scikit-learn's public estimators).

    classes_of, functions_of: modules whose own classes, or functions, are trusted; those below them too. by_name: single names.
    policy: what the platform's policy adds, each a class that its module defines.
    """

    classes_of: frozenset[str] = frozenset()
    functions_of: frozenset[str] = frozenset()
    by_name: frozenset[str] = frozenset()
    policy: TrustedTypes = NONE

    def trusts(self, name: str) -> bool:
        """Whether `module.name` may be rebuilt. Imports the module, once it is known to be a trusted one."""
        if name in self.by_name:
            return True
        module, _, attribute = name.rpartition(".")
        if name in self.policy.types:
            found = getattr(import_module(module), attribute, None)
            return refusal_of(name) is None and isinstance(found, type) and found.__module__ == module
        is_class, is_function = _within(module, self.classes_of), _within(module, self.functions_of)
        if not (is_class or is_function):
            return False
        found = getattr(import_module(module), attribute, None)
        own = getattr(found, "__module__", None) == module
        return own and (is_class if isinstance(found, type) else is_function and callable(found))


SKLEARN = Trusted(
    classes_of=frozenset(
        f"sklearn.{part}"
        for part in (
            "_loss",
            "calibration",
            "cluster",
            "compose",
            "cross_decomposition",
            "decomposition",
            "discriminant_analysis",
            "ensemble",
            "feature_extraction",
            "feature_selection",
            "gaussian_process",
            "impute",
            "isotonic",
            "kernel_approximation",
            "linear_model",
            "metrics",
            "mixture",
            "model_selection",
            "multiclass",
            "naive_bayes",
            "neighbors",
            "neural_network",
            "pipeline",
            "preprocessing",
            "semi_supervised",
            "svm",
            "tree",
            "utils._bunch",
            "utils._metadata_requests",
        )
    ),
    functions_of=frozenset(
        f"sklearn.{part}"
        for part in (
            "feature_selection._mutual_info",
            "feature_selection._univariate_selection",
            "metrics._classification",
            "metrics._ranking",
            "metrics._regression",
        )
    ),
    by_name=frozenset(
        {
            "builtins.bytearray",
            "collections.OrderedDict",
            "collections.defaultdict",
            "functools.partial",
            "numpy.dtype",
            "numpy.mean",
            "lightgbm.basic.Booster",
            "lightgbm.sklearn.LGBMClassifier",
            "lightgbm.sklearn.LGBMRegressor",
            "scipy._lib.array_api_compat.numpy._aliases.asarray",
            "scipy.interpolate._bsplines.BSpline",
            "scipy.interpolate._interpolate.interp1d",
            "sklearn.utils.validation.check_array",
            "xgboost.core.Booster",
            "xgboost.sklearn.XGBClassifier",
            "xgboost.sklearn.XGBRegressor",
        }
    ),
)


def of_this_process() -> Trusted:
    """Lockgate's own list, and what the policy adds as this process was told when it was started.

    Raises:
        Invalid: what it was told is no list, or has what no policy may trust.
    """
    return replace(SKLEARN, policy=told(os.environ))


def unpack(content: bytes, trusted: Trusted) -> Any:
    """The object in a skops file.

    Raises:
        RuntimeFailure: no such file, something in it that is not trusted (all of it is named), or it cannot be rebuilt.
    """
    with failing_as_runtime("this is no skops file that can be read"):
        unknown = skops.io.get_untrusted_types(data=content)
    with failing_as_runtime("a type in the skops file cannot be found here"):
        refused = [name for name in unknown if not trusted.trusts(name)]
    if refused:
        more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        raise RuntimeFailure(
            f"the file holds {', '.join(refused[:_SHOWN])}{more}, which the platform does not trust ({trusted.policy})",
            hint="Build the model of parts that scikit-learn has, or have the platform's owners add the class to the policy's "
            "`loading: trusted_types`.",
        )
    with failing_as_runtime("skops cannot rebuild the model"):
        return skops.io.loads(content, trusted=unknown)


def _within(module: str, parts: frozenset[str]) -> bool:
    """Whether the module is one of the parts or below one."""
    steps = module.split(".")
    return any(".".join(steps[:length]) in parts for length in range(1, len(steps) + 1)) and "tests" not in steps
