"""How requests are put together into batches: how many rows, and how long a batch waits for requests that usually come.

All of it is arithmetic on frozen values; `batching` holds the queue and the model.

- **A request that finds the model idle is run at once.** While it runs, others gather, and they are the next batch. So batches
  grow with the load by themselves.
- Waiting pays only for requests that gathered while the model ran: their companions of the last batch have just been answered
  and will probably ask again. A batch waits for as many requests as were under way lately, at most `window` seconds. The window
  grows by a step each time they came and halves each time they did not.
- The rows of a batch grow by a step while a full batch stays within half of the latency objective (the other half is the time
  that a request may have waited for the batch before it), and shrink to three quarters when a batch took longer. But if a small
  batch takes longer than that already, smaller ones would help nobody: then twice the time of a small one is the bound.
"""

from __future__ import annotations

import msgspec

_SHRINK = 0.75
_FORGET = 0.25  # of the difference, when fewer requests are under way than before
_HALF = 0.5
_SMALL = 8  # a batch of the eighth part of the rows that may be


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """objective: seconds within which a request should be answered. rows, bytes: the most in one batch (a larger request runs
    alone). first_rows: where it begins; window: the longest in seconds. queued_*: what may wait; more is refused as overloaded.
    """

    objective: float = 0.1
    rows: int = 4096
    bytes: int = 32 << 20
    first_rows: int = 64
    step: int = 16
    window: float = 0.005
    queued_requests: int = 4096
    queued_bytes: int = 256 << 20


class Pace(msgspec.Struct, frozen=True):
    """rows: the most in one batch now. window: the longest wait now. company: requests that are usually under way together.

    base: seconds that a small batch takes; 0: not known yet.
    """

    rows: float
    window: float
    company: float = 1.0
    base: float = 0.0


class Waiting(msgspec.Struct, frozen=True):
    """The queue, once the model is free. gathered: its first request came while the model ran. since: when the queue could have
    been run for the first time; nearest: the first deadline in it (both on the clock that gives `now`).
    """

    requests: int
    rows: int
    bytes: int
    gathered: bool
    since: float
    oldest: float
    nearest: float


class Ran(msgspec.Struct, frozen=True):
    """One batch that the model answered whole. left: requests that gathered meanwhile. waited: seconds in the window.
    full: more were there than fitted.
    """

    requests: int
    rows: int
    seconds: float
    left: int
    waited: float
    full: bool


def first(limits: Limits, base: float = 0.0) -> Pace:
    """base: seconds that a small batch takes, if that is known."""
    return Pace(float(min(limits.first_rows, limits.rows)), limits.window * _HALF, base=base)


def wait(pace: Pace, limits: Limits, waiting: Waiting, now: float) -> float:
    """Seconds that the batch should still wait for company; 0 is now."""
    complete = waiting.requests >= pace.company or waiting.rows >= pace.rows or waiting.bytes >= limits.bytes
    if complete or not waiting.gathered:
        return 0.0
    until = min(
        waiting.since + pace.window,
        waiting.oldest + limits.objective * _HALF,
        now + (waiting.nearest - now) * _HALF,  # the other half is for the run
    )
    return max(0.0, until - now)


def after(pace: Pace, limits: Limits, ran: Ran) -> Pace:
    """The pace once a batch has run."""
    base = _base(pace, ran)
    return Pace(_rows(pace, limits, ran, base), _window(pace, limits, ran), _company(pace, ran), base)


def _rows(pace: Pace, limits: Limits, ran: Ran, base: float) -> float:
    if ran.seconds > max(limits.objective * _HALF, 2.0 * base):
        return max(1.0, min(pace.rows, ran.rows) * _SHRINK)
    if ran.full:
        return min(float(limits.rows), pace.rows + limits.step)
    return pace.rows


def _base(pace: Pace, ran: Ran) -> float:
    small = ran.rows <= max(1.0, pace.rows / _SMALL)
    if pace.base == 0.0 or ran.seconds < pace.base:
        return ran.seconds
    return pace.base + _FORGET * (ran.seconds - pace.base) if small else pace.base


def _window(pace: Pace, limits: Limits, ran: Ran) -> float:
    """A wait that is longer than the run that it saves would be none."""
    longest = min(limits.window, ran.seconds * _HALF)
    if ran.waited > 0.0 and ran.requests < pace.company:
        return min(longest, pace.window * _HALF)
    return min(longest, pace.window + limits.window / 16)


def _company(pace: Pace, ran: Ran) -> float:
    together = float(ran.requests + ran.left)
    if together >= pace.company:
        return together
    return max(1.0, pace.company - max(0.5, (pace.company - together) * _FORGET))
