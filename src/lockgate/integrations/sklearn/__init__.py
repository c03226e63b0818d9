"""Models that learned from data frames become packages here, as ONNX or as their library stores them. Needs the extra `ml`."""

from importlib.util import find_spec

from lockgate.kernel.errors import MissingExtra

_NEEDED = ("onnx", "pandas", "skl2onnx", "sklearn")
_absent = [name for name in _NEEDED if find_spec(name) is None]
if _absent:
    raise MissingExtra(
        f"packaging scikit-learn models needs {', '.join(_absent)}, which this Python does not have",
        hint="pip install 'lockgate[ml]'",
    )
