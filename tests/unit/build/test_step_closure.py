"""What a step's output depends on: which edits change it, and which do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.stages.build.pipeline.closure import Closure, Closures
from lockgate.stages.build.pipeline.graph import Step
from lockgate.stages.build.pipeline.modules import open_modules
from lockgate.stages.build.pipeline.options import Options

FILES = {
    "pipeline.py": '''
"""A pipeline."""
import os
import numpy as np
import late.binding
from shared import helper, CONSTANT
from pkg.sub import thing as renamed
from . import beside

OPTIONS = {}
OPTIONS["a"] = 1
LIMIT: int = 3

def _own(value):
    """What it does."""
    return value * LIMIT

class Kept:
    def method(self):
        return CONSTANT

def upstream():
    return 1

def step_(upstream, value=renamed):
    local = helper(value)  # a remark
    def inner(helper):
        return helper + local
    return inner(_own(Kept()))

def unrelated():
    return late.binding.deep() + np.zeros(3) + beside.x
''',
    "shared.py": """
import yaml
CONSTANT = 1
OTHER = 2
def helper(x): return yaml.dump(x) if x else deeper(x)
def deeper(x): return x
""",
    "pkg/__init__.py": "import random\nrandom.seed(0)\n",
    "pkg/sub.py": "def thing(a): return 1\ndef nothing(): return 2\n",
    "late/__init__.py": "",
    "late/binding.py": "def deep(): return deepest()\ndef deepest(): return 1\n",
    "beside.py": "x = 1\n",
}


def closure(files: dict[str, str], function: str = "step_") -> Closure:
    modules, _ = open_modules("pipeline.py", files.get)
    return Closures(modules).of(Step(function, "pipeline", function, (), Options(), "pipeline.py", 1))


def edited(file: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[file]
    return {**FILES, file: FILES[file].replace(old, new)}


def test_all_that_the_step_refers_to_is_in_it_and_nothing_else() -> None:
    found = closure(FILES)

    assert list(found.code) == [
        "pipeline.(on import)",
        "pipeline.CONSTANT",
        "pipeline.Kept",
        "pipeline.LIMIT",
        "pipeline.OPTIONS",
        "pipeline._own",
        "pipeline.helper",
        "pipeline.renamed",
        "pipeline.step_",
        "pkg.(on import)",
        "pkg.random",
        "pkg.sub.thing",
        "shared.CONSTANT",
        "shared.deeper",
        "shared.helper",
        "shared.yaml",
    ]
    assert found.libraries == {"yaml"}
    assert closure(FILES, "unrelated").libraries == {"numpy"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pipeline.py", "value * LIMIT", "LIMIT * value"),
        ("pipeline.py", "LIMIT: int = 3", "LIMIT: int = 4"),
        ("pipeline.py", 'OPTIONS["a"] = 1', 'OPTIONS["a"] = 2'),
        ("pipeline.py", "return CONSTANT", "return -CONSTANT"),
        ("pipeline.py", "import helper, CONSTANT", "import deeper as helper, CONSTANT"),
        ("pipeline.py", "value=renamed", "value=None"),
        ("shared.py", "CONSTANT = 1", "CONSTANT = 3"),
        ("shared.py", "def deeper(x): return x", "def deeper(x): return -x"),
        ("pkg/sub.py", "return 1", "return 3"),
        ("pkg/__init__.py", "seed(0)", "seed(1)"),
        ("beside.py", "x = 1", "x = 1\nprint(x)"),
    ],
)
def test_edits_that_could_change_the_output_are_seen(file: str, old: str, new: str) -> None:
    assert closure(edited(file, old, new)).code != closure(FILES).code


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pipeline.py", '"""What it does."""', '"""What else it does."""'),
        ("pipeline.py", '    """What it does."""\n', ""),
        ("pipeline.py", "  # a remark", ""),
        ("pipeline.py", "def step_(upstream, value=renamed):", "def step_(\n    upstream,\n    value=(renamed),\n):"),
        ("pipeline.py", "def step_", "@step(timeout=3)\ndef step_"),
        ("pipeline.py", "return 1", "return 2"),  # of the step upstream: its output counts, not its code
        ("pipeline.py", "np.zeros(3)", "np.ones(3)"),
        ("shared.py", "OTHER = 2", "OTHER = 3"),
        ("pkg/sub.py", "return 2", "return 3"),
        ("late/binding.py", "return 1", "return 2"),
        ("beside.py", "x = 1", "x = 2"),
    ],
)
def test_edits_that_cannot_change_it_are_not(file: str, old: str, new: str) -> None:
    assert closure(edited(file, old, new)) == closure(FILES)


@pytest.mark.parametrize(
    ("import_", "use"),
    [
        ("import late.binding", "late.binding.deep()"),
        ("import late.binding as b", "b.deep()"),
        ("from late import binding", "binding.deep()"),
        ("from late.binding import deep", "deep()"),
        ("from late.binding import *", "deep()"),
        ("from .late.binding import deep", "deep()"),
        ("from . import late", "late.binding.deep()"),
        ("if True:\n    from late.binding import deep", "deep()"),
        ("try:\n    from late.binding import deep\nexcept ImportError:\n    deep = None", "deep()"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])  # a function; there, Python allows no star
def test_every_way_to_import_is_followed(import_: str, use: str, *, inside: bool) -> None:
    inside = inside and "*" not in import_
    body = "".join(f"    {line}\n" for line in import_.splitlines()) if inside else ""
    text = f"{'' if inside else import_}\ndef step_():\n{body}    return {use}\n"
    package = "" if import_ != "from . import late" else "import late.binding\n"
    files = {**FILES, "pipeline.py": text, "late/__init__.py": package}

    assert "late.binding.deepest" in closure(files).code


def test_folders_without_an_init_file_are_packages_too() -> None:
    files = {"pipeline.py": "from folder import inner\ndef step_(): return inner.f()", "folder/inner.py": "def f(): return 1"}

    assert "folder.inner.f" in closure(files).code
    assert closure(files).libraries == frozenset()


def test_modules_that_import_each_other_end() -> None:
    files = {
        "pipeline.py": "from a import f\ndef step_(): return f()",
        "a.py": "import b\ndef f(): return b.g()",
        "b.py": "import a\ndef g(): return a.f()",
    }

    assert {"a.f", "b.g"} <= set(closure(files).code)


@given(st.text(alphabet="ab \n#", max_size=20), st.text(alphabet="abc \n", max_size=20))
def test_no_comment_and_no_docstring_ever_counts(comment: str, docstring: str) -> None:
    comments = "".join(f"# {line}\n" for line in comment.split("\n"))
    files = {"pipeline.py": f'{comments}def step_():\n    """{docstring}"""\n    return 1\n'}

    assert closure(files).code == closure({"pipeline.py": "def step_():\n    return 1"}).code
