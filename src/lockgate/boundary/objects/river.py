"""Which of River's classes may be in a package. Left out is what reads files or the network, or wraps other libraries' models."""

from __future__ import annotations

from lockgate.boundary.objects.vocabulary import Vocabulary

_PACKAGES = (
    "_river_rust anomaly base bandit cluster compose conf covariance drift dummy ensemble facto feature_extraction "
    "feature_selection forest imblearn linear_model metrics misc model_selection multiclass multioutput naive_bayes "
    "neighbors optim preprocessing proba reco rules sketch stats time_series tree utils"
)
# What River's own objects refer to: the makers of default values, and distances.
_FUNCTIONS = (
    "copy:deepcopy",
    "river._river_rust.vectordict:euclidean_distance_dict",
    "river._river_rust.vectordict:euclidean_distance_tuple",
    "river.forest.online_extra_trees:ExtraTrees._detection_mode_all",
    "river.forest.online_extra_trees:ExtraTrees._detection_mode_drop",
    "river.forest.online_extra_trees:ExtraTrees._detection_mode_off",
    "river.naive_bayes.gaussian:GaussianNB._make_gaussian",
    "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_multivariate",
    "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_univariate",
    "river.tree.splitter.nominal_splitter_reg:NominalSplitterReg._update_estimator_multivariate",
    "river.tree.splitter.nominal_splitter_reg:NominalSplitterReg._update_estimator_univariate",
)

RIVER = Vocabulary(
    packages=frozenset(f"river.{name}" for name in _PACKAGES.split()),
    functions=frozenset(_FUNCTIONS),
    hint="Build the model of River's own parts, or do that work in a step before the split.",
)
