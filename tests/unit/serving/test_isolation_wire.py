"""What travels between a worker and a process that nobody trusts: it comes back the same, and nonsense is refused as nonsense."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lockgate.kernel.errors import Invalid
from lockgate.runtimes.model import Array
from lockgate.serving.isolation import wire
from lockgate.serving.isolation.frames import HEAD, Frames, Malformed, frame
from lockgate.serving.isolation.talk import Want, Wants, decode_told, decode_wants, encode
from lockgate.serving.isolation.wire import Answer, Ask, Failure, Offer, Outcomes, Scored

KINDS = ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


def asked(feeds: dict[str, Array]) -> dict[str, Array]:
    """Feeds as the host sees them."""
    message = wire.heard_by_host(wire.ask(1, 1.0, wire.pack(feeds))[HEAD:])
    return wire.unpack_feeds(message.feeds)


def answered(*outputs: Array) -> list[Array]:
    """Outputs as the worker sees them."""
    message = wire.heard_by_worker(wire.answer(1, 0.5, wire.pack_outputs(outputs))[HEAD:])
    assert isinstance(message, Answer)
    return wire.unpack(message.outputs)


@given(st.data(), st.sampled_from(KINDS))
def test_numbers_come_back_the_same_aligned_and_writable(data: st.DataObject, kind: str) -> None:
    array = data.draw(arrays.arrays(np.dtype(kind), arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
    back = asked({"é": array})["é"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable
    assert back.flags.aligned


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_text_comes_back_the_same(texts: list[str]) -> None:
    array = np.array(texts, object).reshape(-1, 1)
    assert asked({"t": array})["t"].tolist() == array.tolist()


@given(st.lists(st.binary(), min_size=1))
def test_bytes_that_are_no_text_come_back_the_same(values: list[bytes]) -> None:
    array = np.empty(len(values), object)
    array[:] = values
    assert answered(array)[0].tolist() == values


@pytest.mark.parametrize("kind", ["f4", "i8"])
def test_any_byte_order_and_any_layout_arrive_as_numbers_of_ours(kind: str) -> None:
    array = np.arange(12, dtype=">" + kind).reshape(3, 4).T[::2]
    back = answered(array)[0]
    assert back.tolist() == array.tolist()
    assert back.dtype == np.dtype(kind)


def test_strings_of_numpy_arrive_as_strings() -> None:
    assert answered(np.array([["AA"], ["B"]]))[0].tolist() == [["AA"], ["B"]]
    assert answered(np.array([np.str_("AA")], object))[0].tolist() == ["AA"]


@pytest.mark.parametrize("values", [np.array([None]), np.array(["a", 1], object), np.array(["2020"], "M8[Y]"), np.array([1j])])
def test_what_cannot_travel_is_refused_by_its_sender(values: Array) -> None:
    with pytest.raises(Invalid):
        wire.pack_outputs([values])


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 40)))
def test_frames_are_found_again_whatever_pieces_they_come_in(bodies: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(frame(body) for body in bodies)
    frames, found = Frames(), []
    while stream:
        size = sizes.pop() if sizes else len(stream)
        found += frames.feed(stream[:size])
        stream = stream[size:]
    assert found == bodies


def test_a_length_that_nobody_would_send_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(Malformed, match="announced"):
        Frames(longest=1000).feed((1001).to_bytes(HEAD, "little"))
    with pytest.raises(Malformed, match="at most"):
        frame(b"x" * 1001, longest=1000)


def body(message: Any) -> bytes:
    return msgspec.msgpack.encode(message)


def test_what_is_meant_is_understood() -> None:
    assert isinstance(wire.heard_by_host(wire.offer(7, 2.0, wire.pack({}))[HEAD:]), Offer)
    assert isinstance(wire.heard_by_host(wire.ask(7, 2.0, wire.pack({}))[HEAD:]), Ask)
    assert wire.heard_by_worker(wire.failure(7, "error", "no" * 1000)[HEAD:]) == Failure(7, "error", "no" * 250)
    results = [Scored(1, 0.5, [1.0]), Scored(2, 0.5, None, "timeout", "late")]
    assert wire.heard_by_worker(wire.outcomes(results)[HEAD:]) == Outcomes(results)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\xc1",
        body(None),
        body([1]),
        body([9, 1, 1.0, []]),
        body([1, "one", 1.0, []]),
        body([1, 1, float("nan"), []]),
        body([1, 1, float("inf"), []]),
        body([1, 1, -1.0, []]),
        body([1, 1, 1.0, [["", 1, [1], b"x"]] * 1025]),
        body([2, 1, "a kind that is none", ""]),
        body([3, [[1, 1.0, None]]]),
        body([3, [[1, 1.0, [1.0], "error"]]]),
        body([3, [[1, 1.0, [float("nan")]]]]),
        body([3, [[1, float("nan"), [1.0]]]]),
        body([3, [[1, 1.0, [1.0]]] * 1025]),
        b"\x93\x01\x02" + b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
    ],
)
def test_nonsense_from_a_host_is_malformed_and_nothing_else(said: bytes) -> None:
    with pytest.raises(Malformed):
        wire.heard_by_worker(said)


FP64 = 13


@pytest.mark.parametrize(
    ("code", "shape", "data"),
    [
        (FP64, [1], b"x" * 7),
        (FP64, [1], b"x" * 16),
        (FP64, [-1], b""),
        (FP64, [-1, -1], b"x" * 8),
        (FP64, [0, 1 << 62], b""),
        (FP64, [1 << 62, 1 << 62], b""),
        (FP64, [1], ["x"]),
        (0, [1], b"x" * 8),
        (0, [2], ["x"]),
        (0, [0, 1 << 62], []),
        (1, [1], ["€"]),
        (99, [1], b"x"),
        (-1, [1], b"x"),
    ],
)
def test_an_array_that_is_not_what_it_says_is_malformed(code: int, shape: list[int], data: Any) -> None:
    message = wire.heard_by_worker(body([1, 1, 1.0, [["", code, shape, data]]]))
    assert isinstance(message, Answer)
    with pytest.raises(Malformed):
        wire.unpack(message.outputs)


def test_a_code_is_what_the_tests_take_it_for() -> None:
    message = wire.heard_by_worker(body([1, 1, 1.0, [["", FP64, [1], np.float64(4.0).tobytes()]]]))
    assert isinstance(message, Answer)
    assert wire.unpack(message.outputs)[0].tolist() == [4.0]


def test_bytes_that_are_no_bools_become_bools() -> None:
    message = wire.heard_by_worker(body([1, 1, 1.0, [["", 2, [3], b"\x00\x01\xff"]]]))
    assert isinstance(message, Answer)
    assert wire.unpack(message.outputs)[0].tobytes() == b"\x00\x01\x01"


@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_raise_anything_else(said: bytes) -> None:
    for read in (wire.heard_by_worker, wire.heard_by_host, decode_told, decode_wants):
        try:
            read(said)
        except Malformed:
            continue


@given(st.recursive(st.none() | st.integers(-3, 20) | st.floats() | st.binary(max_size=9) | st.text(max_size=9), st.lists))
def test_no_message_makes_a_reader_raise_anything_else(said: Any) -> None:
    for tag in (1, 2, 3):
        for message in (said, [tag, said], [tag, 1, 1.0, said], [tag, 1, 1.0, [["", said, said, said]]], [3, [[1, 1.0, said]]]):
            try:
                heard = wire.heard_by_worker(body(message))
                if isinstance(heard, Answer):
                    wire.unpack(heard.outputs)
            except Malformed:
                continue


def test_wants_come_back_the_same() -> None:
    wants = Wants((Want("sha256:a", isolated=True, shadow=True, memory=5), Want("sha256:b", isolated=False)))
    assert decode_wants(encode(wants)[HEAD:]) == wants
