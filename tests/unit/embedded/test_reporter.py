"""A reporter never keeps its program waiting, never breaks it, and tells everything once, whatever the network does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.boundary.reports import Report
from lockgate.boundary.routes import Revision
from lockgate.embedded.outgoing import Outgoing
from lockgate.embedded.outgoing import Report as Outgone
from lockgate.embedded.prediction_ids import Ids, Predicted
from lockgate.embedded.reporter import MOST_LABELS, MOST_OPEN, Reporter
from lockgate.embedded.sending import Sender, Sent
from lockgate.embedded.tallies import Tally
from lockgate.kernel.errors import Invalid
from lockgate.testing.clock import VirtualClock

TOKEN = f"lgk_{'a1' * 6}_{'0' * 64}"
JUDGED = Tally("m", 2, (0, 7), judged=True, keyed=True, thresholds_id=3, limits=(0.01, 0.02))


@dataclass
class Desk:
    """Takes reports as it is told to."""

    sent: Sent = Sent.TAKEN
    reports: list[Report] = field(default_factory=list)

    def __call__(self, body: bytes, _patience: float) -> Sent:
        if self.sent is Sent.TAKEN:
            self.reports.append(msgspec.json.decode(body, type=Report))
        return self.sent


def reporter(desk: Any, **options: Any) -> Reporter:
    return Reporter(
        "https://x.example", TOKEN, "m", **{"host": "h", "every": 3600.0, "clock": VirtualClock(), **options}, send=desk
    )


def test_a_block_counts_as_the_gateways_do() -> None:
    desk = Desk()
    one = reporter(desk)
    for key, seconds in ((1, 0.001), (2, 0.015), (3, 0.03)):
        one.answered(JUDGED, key, seconds, [0.5], {"x": [1]})
    one.failed(JUDGED, 4, "error", {"x": [1]})
    one.answered(Tally("m", 1), 0, 0.01, [0.5, 0.25], {"x": [1, 2]})
    one.close()
    (told,) = desk.reports
    (cell,), (aside,) = told.block.cells, told.block.aside
    assert (cell.completed, cell.failures, cell.exceeded, cell.revision) == (4, {"error": 1}, (2, 1), Revision(0, 7))
    assert [(unit.key, unit.bits) for unit in cell.units] == [(1, 0), (2, 2), (3, 6), (4, 1)]
    assert sum(cell.latency.values()) == 3
    assert (aside.version, aside.completed, aside.units) == (1, 1, ())
    assert [(record.version, record.scores, record.failure) for record in told.records] == [
        (2, (0.5,), None),
        (2, (0.5,), None),
        (2, (0.5,), None),
        (2, (), "error"),
        (1, (0.5, 0.25), None),
    ]


def test_what_nobody_takes_is_told_later_in_its_order_and_once() -> None:
    desk = Desk(Sent.LATER)
    one = reporter(desk)
    for _ in range(3):
        one.answered(JUDGED, 1, 0.001, [0.5], {})
        assert not one.flush()
    desk.sent = Sent.TAKEN
    one.close()
    assert [report.block.sequence for report in desk.reports] == [1, 2, 3]
    assert (one.fate.taken, one.fate.dropped) == (3, 0)


def test_what_is_refused_is_not_sent_again() -> None:
    desk = Desk(Sent.REFUSED)
    one = reporter(desk)
    one.answered(JUDGED, 1, 0.001, [0.5], {})
    assert one.flush()
    desk.sent = Sent.TAKEN
    one.close()
    assert (desk.reports, one.fate.refused) == ([], 1)


def test_blocks_are_bounded_whatever_a_program_does() -> None:
    desk = Desk()
    one = reporter(desk, records=False)
    ids = [one.answered(JUDGED, 1, 0.001, [0.5], {})[0] for _ in range(2 * MOST_OPEN + 1)]
    for prediction_id in ids[: MOST_LABELS + 1]:
        one.label(prediction_id, 1)
    one.close()
    assert [sum(cell.completed for cell in report.block.cells) for report in desk.reports] == [MOST_OPEN, MOST_OPEN, 1, 0]
    assert [len(report.block.feedback) for report in desk.reports] == [0, 0, MOST_LABELS, 1]


def test_the_oldest_make_room_while_nobody_takes_anything() -> None:
    sent: list[bytes] = []
    answer = [Sent.LATER]

    def send(body: bytes, _patience: float) -> Sent:
        sent.append(body)
        return answer[0]

    outgoing = Outgoing(send, most=20)
    for number in range(4):
        outgoing.add(Outgone(b"%010d" % number, 1))
    assert not outgoing.deliver(1.0)
    answer[0] = Sent.TAKEN
    assert outgoing.deliver(1.0)
    assert sent[1:] == [b"%010d" % 2, b"%010d" % 3]
    assert (outgoing.fate.taken, outgoing.fate.dropped) == (2, 2)


def test_records_that_no_json_can_hold_are_dropped_and_told() -> None:
    desk = Desk()
    one = reporter(desk)
    one.answered(JUDGED, 1, 0.001, [0.5], {"x": [object()]})
    one.answered(JUDGED, 1, 0.001, [0.5], {"x": ["y" * 300_000]})
    one.answered(JUDGED, 1, 0.001, [0.5], {"x": [float("nan")]})
    one.close()
    (told,) = desk.reports
    assert [record.inputs for record in told.records] == [{"x": [None]}]
    assert (told.block.records_logged, told.block.records_dropped) == (1, 2)


def test_what_is_redacted_leaves_no_program() -> None:
    desk = Desk()
    one = reporter(desk)
    one.answered(Tally("m", 1, redacted=("email",)), 0, 0.1, [0.5], {"email": ["ann@example.org"], "x": [1]})
    one.close()
    assert desk.reports[0].records[0].inputs == {"email": None, "x": [1]}


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.integers(0, 255),
)
def test_an_id_says_again_what_was_predicted(version: int, key: int, score: float, segment: int) -> None:
    told = Predicted(version, (1, 2), key, score, 1767603600.25, 77, segment)
    assert Ids(TOKEN, "m").read(Ids(TOKEN, "m").write(told)) == told


def test_an_id_is_of_one_model_and_one_token() -> None:
    text = Ids(TOKEN, "m").write(Predicted(1, (0, 1), 1, 0.5, 0.0, 1))
    assert text.startswith("a1a1a1a1a1a1.")
    other = TOKEN[:-1] + "1"
    for ids, wrong in (
        (Ids(TOKEN, "n"), text),
        (Ids(other, "m"), text),
        (Ids(TOKEN, "m"), text[:-2] + ("AA" if text[-2:] != "AA" else "BB")),
        (Ids(TOKEN, "m"), "nonsense"),
        (Ids("the control token", "m"), text),
    ):
        with pytest.raises(Invalid, match="was not given out"):
            ids.read(wrong)


def test_a_label_is_sent_by_another_process_that_remembers_nothing() -> None:
    first, later = Desk(), Desk()
    one = reporter(first)
    (prediction_id,) = one.answered(JUDGED, 9, 0.001, [0.25], {}, segment=2)
    one.close()
    other = reporter(later)
    other.label(prediction_id, 1, at=5.0)
    with pytest.raises(Invalid, match="finite"):
        other.label(prediction_id, float("nan"))
    other.close()
    (label,) = later.reports[0].block.feedback
    assert (label.version, label.revision, label.key, label.score, label.segment) == (2, Revision(0, 7), 9, 0.25, 2)
    assert (label.label, label.at, label.answered_at) == (1.0, 5.0, VirtualClock().unix())


@pytest.mark.parametrize(
    "url", ["http://lockgate.example", "ftp://lockgate.example", "https://", "https://u:p@x.example", "https://x.example/?t=1"]
)
def test_a_token_goes_to_no_address_that_it_should_not(url: str) -> None:
    with pytest.raises(Invalid):
        Sender(url, TOKEN)


def test_plain_http_is_for_this_machine_or_a_trusted_network() -> None:
    for url in ("http://127.0.0.1:7070", "http://localhost", "http://[::1]:7070", "https://lockgate.example"):
        Sender(url, TOKEN)
    Sender("http://lockgate.example", TOKEN, plain_http=True)


class _Handler(BaseHTTPRequestHandler):
    answers: ClassVar[list[tuple[int, dict[str, str]]]] = []
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._say(*self.answers.pop(0))

    def do_GET(self) -> None:
        self._say(200, {})

    def _say(self, status: int, headers: dict[str, str]) -> None:
        self.seen.append((f"{self.command} {self.path}", self.headers.get("authorization")))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        _Handler.seen, _Handler.answers = [], []
        yield made
        made.shutdown()
        thread.join()


def test_an_answer_says_whether_to_try_again(server: ThreadingHTTPServer) -> None:
    send = Sender(f"http://127.0.0.1:{server.server_port}/", TOKEN)
    expected = {204: Sent.TAKEN, 401: Sent.REFUSED, 413: Sent.REFUSED, 422: Sent.REFUSED, 429: Sent.LATER, 503: Sent.LATER}
    for status, sent in expected.items():
        _Handler.answers = [(status, {})]
        assert send(b"{}") is sent
    assert set(_Handler.seen) == {("POST /reports", f"Bearer {TOKEN}")}


def test_a_redirect_is_not_followed_with_a_token(server: ThreadingHTTPServer) -> None:
    _Handler.answers = [(302, {"location": f"http://127.0.0.1:{server.server_port}/elsewhere"})]
    assert Sender(f"http://127.0.0.1:{server.server_port}", TOKEN)(b"{}") is Sent.REFUSED
    assert [path for path, _ in _Handler.seen] == ["POST /reports"]


def test_a_refusal_is_told_with_its_status_and_reason(server: ThreadingHTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    _Handler.answers = [(403, {})]
    Sender(f"http://127.0.0.1:{server.server_port}", TOKEN)(b"{}")
    assert caplog.messages == ["a report was refused: 403 Forbidden"]


@pytest.mark.parametrize("token", ["", " ", " t", "tökén", "token\n", "t\r\nx: y"])
def test_what_can_be_no_token_is_refused_at_once_and_not_repeated(token: str) -> None:
    with pytest.raises(Invalid, match="token") as refused:
        Reporter("https://lockgate.example", token, "m")
    assert "tökén" not in str(refused.value)


def test_nobody_there_is_no_reason_to_fail() -> None:
    assert Sender("http://127.0.0.1:1", TOKEN)(b"{}", 0.5) is Sent.LATER


PROGRAM = """
import os, sys, json
from lockgate.embedded.reporter import Reporter
from lockgate.embedded.sending import Sent
from lockgate.embedded.tallies import Tally

def send(body, patience):
    os.write(1, body + b"\\n")
    return Sent.TAKEN

one = Reporter("https://x.example", "t", "m", every=3600.0, send=send, records=False)
one.answered(Tally("m", 1), 0, 0.1, [0.5], {})
if os.fork() == 0:
    one.answered(Tally("m", 1), 0, 0.1, [0.5], {})
    sys.exit()
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_each_process_tells_its_own_at_its_end_also_after_a_fork() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=30)
    blocks = [json.loads(line)["block"] for line in done.stdout.splitlines()]
    assert [block["aside"][0]["completed"] for block in blocks] == [1, 1]
    assert len({block["incarnation"] for block in blocks}) == 2
