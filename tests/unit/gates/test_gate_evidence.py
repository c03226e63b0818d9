"""Evidence is one spelling of what was found: it comes back as it went in, and its digest is that of nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.domain.verdicts import GateVerdict, Waived
from lockgate.kernel.digest import canonical_json
from lockgate.kernel.errors import Invalid
from lockgate.stages.decide.evidence import GateEvidence, decode, encode
from lockgate.testing.builders import MODEL, digest, gate_result
from lockgate.testing.clock import START

numbers = st.floats(allow_nan=False, allow_infinity=False)
measured = st.dictionaries(st.text(max_size=8), numbers | st.dictionaries(st.text(max_size=8), numbers, max_size=3), max_size=4)
moments = st.integers(0, 10**6).map(lambda seconds: START + timedelta(seconds=seconds))
waived = st.none() | st.builds(Waived, st.text(), st.text(), moments, st.text())
results = st.builds(
    gate_result, verdict=st.sampled_from(GateVerdict), detail=st.text(max_size=20), measured=measured, waived=waived
)


def evidence(**fields: Any) -> GateEvidence:
    defaults = {"model": MODEL, "run": "run-1", "judged_at": START, "release": "0.1.0", "package": digest("p"), "gates": ()}
    return GateEvidence(**{**defaults, **fields})


@given(st.lists(results, max_size=4).map(tuple))
def test_what_is_written_is_read_again_and_has_one_spelling(gates: tuple[Any, ...]) -> None:
    made = evidence(gates=gates)
    written = encode(made)
    assert decode(written) == made
    assert canonical_json(json.loads(written)) == written
    assert encode(decode(written)) == written


def test_every_part_of_it_changes_the_document() -> None:
    first = encode(evidence())
    for fields in ({"package": digest("q")}, {"data": {"flights": digest("d")}}, {"release": "0.1.1"}, {"dirty": True}):
        assert encode(evidence(**fields)) != first


def test_a_number_without_a_bound_is_null() -> None:
    ratio = gate_result(measured={"low": 1.4, "high": float("inf"), "limit": 1.25})
    (gate,) = decode(encode(evidence(gates=(ratio,)))).gates
    assert gate.measured == {"low": 1.4, "high": None, "limit": 1.25}


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": 1}', b"[]"])
def test_other_bytes_are_no_evidence(content: bytes) -> None:
    with pytest.raises(Invalid, match="no evidence of gates"):
        decode(content)
