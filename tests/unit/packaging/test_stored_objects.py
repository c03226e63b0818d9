"""Objects as JSON and back: everything that matters survives, and nothing is built that the vocabulary does not name."""

from __future__ import annotations

import functools
import json
import math
import random
from collections import Counter, OrderedDict, defaultdict, deque
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.objects import FORMAT
from lockgate.boundary.objects.reading import decode
from lockgate.boundary.objects.vocabulary import Vocabulary
from lockgate.boundary.objects.writing import encode
from lockgate.kernel.errors import Invalid, LockgateError, Refused

HERE = Vocabulary(frozenset({__name__}), frozenset({f"{__name__}:helper", "copy:deepcopy"}), hint="Do without.")


class Tree:
    """May hold itself."""

    def __init__(self, value: Any = None) -> None:
        self.value = value
        self.children: list[Any] = []
        self.ask = self.answer

    def answer(self) -> Any:
        return self.value


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any, right: Any) -> None:
        self.left = left
        self.right = right


class Own:
    """Says itself what its state is."""

    def __init__(self) -> None:
        self.state: Any = b"\x00\xff"

    def __getstate__(self) -> Any:
        return self.state

    def __setstate__(self, state: Any) -> None:
        self.state = state


def helper() -> int:
    return 7


def other() -> int:
    return 8


def again(value: Any) -> Any:
    content = encode(value, HERE)
    assert encode(value, HERE) == content
    restored = decode(content, HERE)
    assert encode(restored, HERE) == content, "what was restored is the same once more"
    return restored


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.floats(allow_nan=False) | st.binary(), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(st.text() | st.integers(), max_size=4)
        | st.frozensets(st.integers() | st.text(), max_size=4)
    ),
    max_leaves=15,
)


@given(VALUES)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    if any(0xD800 <= ord(letter) < 0xE000 for letter in json.dumps(str(value), ensure_ascii=False)):
        return  # half a letter has no UTF-8
    restored = again(value)
    assert restored == value
    assert repr(restored) == repr(value) or "{" in repr(value), "sets have no order"


def test_numbers_keep_every_bit() -> None:
    numbers = [
        -0.0,
        5e-324,
        0.1,
        math.inf,
        -math.inf,
        2**70,
        -(2**63),
        np.float32(0.1),
        np.int8(-3),
        np.bool_(1),
        np.str_("ü"),
    ]
    restored = again(numbers)
    assert [repr(one) for one in restored] == [repr(one) for one in numbers]
    assert [type(one) for one in restored] == [type(one) for one in numbers]
    assert math.isnan(again([math.nan])[0])


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_keep_their_type_and_their_order(order: Any) -> None:
    array = np.array([[1.5, -0.0], [np.nan, 4.0], [5.0, 6.0]], dtype=">f4", order=order)
    restored = again({"a": array, "b": array})
    assert restored["a"] is restored["b"]
    assert restored["a"].dtype == array.dtype
    assert restored["a"].flags.f_contiguous == array.flags.f_contiguous
    np.testing.assert_array_equal(restored["a"], array)
    restored["a"][0, 0] = 7.0


def test_containers_keep_what_they_are() -> None:
    default: dict[str, Any] = defaultdict(functools.partial(Tree, value=3), {"seen": 1})
    value = [Counter(a=2), OrderedDict(b=1, a=2), deque([1, 2, 3], maxlen=3), default, NormalDist(1.0, 2.0)]
    restored = again(value)
    assert restored[0] == value[0]
    assert list(restored[1]) == ["b", "a"]
    assert restored[2].maxlen == 3
    assert restored[3]["new"].value == 3
    assert restored[4] == NormalDist(1.0, 2.0)
    assert [type(one) for one in restored] == [type(one) for one in value]


def test_what_is_shared_stays_shared_and_circles_stay_circles() -> None:
    root, shared = Tree("root"), [1.0]
    root.children = [root, shared, shared, {"up": root}]
    restored = again(root)
    assert restored.children[0] is restored
    assert restored.children[1] is restored.children[2]
    assert restored.children[3]["up"] is restored
    assert restored.ask.__self__ is restored
    assert restored.ask() == "root"


def test_a_long_chain_needs_no_deep_stack() -> None:
    root = Tree(0)
    last = root
    for depth in range(20_000):
        last.children.append(Tree(depth))
        last = last.children[0]
    restored = decode(encode(root, HERE), HERE)
    for _ in range(20_000):
        restored = restored.children[0]
    assert restored.value == 19_999


def test_slots_and_states_of_their_own_are_kept() -> None:
    restored = again([Slotted(1, [2]), Own()])
    assert (restored[0].left, restored[0].right) == (1, [2])
    assert restored[1].state == b"\x00\xff"


def test_dice_fall_as_they_would_have() -> None:
    dice: list[Any] = [random.Random(3), np.random.RandomState(4), np.random.default_rng(5)]
    for one in dice:
        one.random()
    restored = again([*dice, dice[0]])
    assert restored[0] is restored[3]
    assert [one.random() for one in restored[:3]] == [one.random() for one in dice]


def test_functions_of_the_vocabulary_are_kept_by_name() -> None:
    assert again([helper, functools.partial(helper)])[0] is helper


# What may not be kept


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (other, f"{__name__}:other"),
        (print, "builtins:print"),
        (lambda: 1, f"{__name__}:<lambda>"),
        (json.JSONDecoder(), "json.decoder:JSONDecoder"),
        ([1].append, "None:list.append"),
        (iter([1]), "builtins:list_iterator"),
        (Ellipsis, "builtins:ellipsis"),
        (type("Hidden", (), {})(), f"{__name__}:Hidden"),
    ],
)
def test_what_the_vocabulary_does_not_name_is_refused_by_name(value: Any, name: str) -> None:
    with pytest.raises(LockgateError) as caught:
        encode([value], HERE)
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("value", [np.array([print], dtype=object), np.datetime64("2026-01-01"), np.array(["text"])])
def test_arrays_of_anything_but_numbers_are_refused(value: Any) -> None:
    with pytest.raises(Refused):
        encode([value], HERE)


# What is hostile or damaged


def stored(*nodes: Any, root: Any = None, form: str = FORMAT) -> bytes:
    return json.dumps({"format": form, "root": {"n": 0} if root is None else root, "nodes": list(nodes)}).encode()


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "builtins:eval",
        "builtins:getattr",
        "subprocess:Popen",
        f"{__name__}:other",
        f"{__name__}:json.JSONDecoder",
        f"{__name__}:Tree.__init__",
        f"{__name__}:functools.partial",
        f"{__name__}x:Tree",
        "copy:copy",
        "",
        ":",
    ],
)
def test_a_name_outside_the_vocabulary_is_refused_in_every_place(name: str) -> None:
    places = [["object", name, [], [], []], ["call", name, ["true"], [], []], ["partial", {"c": name}, [], []]]
    for node in [*places, ["default", {"c": name}, []], ["list", [{"c": name}]]]:
        with pytest.raises(Refused) as caught:
            decode(stored(node), HERE)
        assert caught.value.message.startswith(f"{name} is not among")


TREE = f"{__name__}:Tree"


@pytest.mark.parametrize(
    "node",
    [
        [],
        ["unknown"],
        ["list"],
        ["list", [[1]]],
        ["list", [{"n": 99}]],
        ["list", [{"n": "0"}]],
        ["list", [{"x": 1}]],
        ["list", [{"n": 0, "c": "builtins:int"}]],
        ["dict", ["odd"]],
        ["dict", [{"n": 0}, 1]],
        ["object", TREE, [], ["__class__", {"c": "builtins:int"}], []],
        ["object", TREE, [], [], ["__dict__", 1]],
        ["object", TREE, [], [1, 2], []],
        ["object", f"{__name__}:helper", [], [], []],
        ["call", TREE, [{"n": 0}], [], []],
        ["method", {"c": TREE}, "__init__"],
        ["method", {"c": TREE}, "missing"],
        ["method", "text", "upper"],
        ["partial", 3, [], []],
        ["partial", {"c": TREE}, [], ["__class__", 1]],
        ["array", "O", [1], "C", "AAAAAAAAAAA="],
        ["array", "<f8", [10**12], "C", "AAAAAAAAAAA="],
        ["array", "<f8", [1], "C", "no base64"],
        ["random", 3, "AAAA", None],
        ["random_state", {"n": 0}],
        ["set", [{"n": 0}]],
        ["deque", "many", []],
        ["list", [{"i": "many"}]],
        ["list", [{"i": "9" * 5000}]],
        ["list", [{"f": "many"}]],
        ["list", [{"s": ["O", "AAAAAAAAAAA="]}]],
    ],
)
def test_bytes_that_the_writer_never_gives_are_refused(node: Any) -> None:
    with pytest.raises(LockgateError):
        decode(stored(node), HERE)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, stored(["list", []], form="other")])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        decode(content, HERE)


def test_deep_calls_are_refused_and_do_not_end_the_process() -> None:
    nodes = [["partial", {"c": TREE}, [{"n": number}], []] for number in range(100_000)]
    with pytest.raises(Invalid, match="damaged: RecursionError"):
        decode(stored(["list", []], *nodes), HERE)
