"""An event as a receiver gets it: as JSON for machines, as one sentence for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from lockgate.domain.events import Action, Event, Happened
from lockgate.domain.holds import HoldEnd
from lockgate.kernel.digest import canonical_json
from lockgate.kernel.quantities import format_share

LONGEST = 300  # characters of what people or programs said
_PAGES = {"run": "runs", "rollout": "rollouts"}  # by what a subject that is an id begins with
_ID = re.compile(r"(run|rollout)-[0-9a-z][0-9a-z-]*", re.ASCII)


def body_of(event: Event) -> bytes:
    """What an HTTP receiver gets. The same bytes at every attempt."""
    said = event.happened
    data = {
        "seq": event.seq,
        "hash": event.hash,
        "actor": said.actor,
        "authenticated": said.authenticated,
        "subject": said.subject,
        "model": said.model,
        "version": said.version,
        "details": said.details,
    }
    return canonical_json({"type": said.action.value, "timestamp": said.at.isoformat(), "data": data})


def message_of(event: Event) -> str:
    """One sentence, in one line."""
    said = event.happened
    text = " ".join(_SENTENCES[said.action](said).split())
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def page_of(event: Event) -> str:
    """The path of the page that shows what it happened to. Nothing that people chose stands in it as it is: a user, too, is a
    subject, and may be called `run-x|Your account> <!channel>`.
    """
    said = event.happened
    if not said.model:
        return "/audit"
    if (found := _ID.fullmatch(said.subject)) is not None:
        return f"/{_PAGES[found[1]]}/{said.subject}"
    model = f"/models/{quote(said.model, safe='')}"
    return f"{model}/versions/{said.version}" if said.version else model


def _thing(said: Happened) -> str:
    if not said.model:
        return said.subject
    version = f" v{said.version}" if said.version else ""
    segment = said.details.get("segment")
    return f"{said.model}{version}" + (f" in segment {segment}" if segment else "")


def _told(said: Happened, name: str) -> str:
    """A detail as text, "" where it is missing; what somebody said is bounded."""
    value = said.details.get(name)
    text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _because(said: Happened, *names: str) -> str:
    """`: why`, of the first of these details that says anything."""
    found = next(filter(None, (_told(said, name) for name in names)), "")
    return f": {found}" if found else ""


def _share(said: Happened, name: str) -> str:
    value = said.details.get(name)
    return format_share(float(value)) if isinstance(value, int | float) else "a share"


def _changed(said: Happened) -> str:
    before, now = _told(said, "from") or "nothing", _told(said, "to") or "nothing"
    return f"from {before} to {now}"


def _requested(said: Happened) -> str:
    return f"{said.actor} asks for {_thing(said)} to go to {_told(said, 'to')}{_because(said, 'comment')}"


def _approved(said: Happened) -> str:
    whole = ", and that is enough" if said.details.get("state") == "approved" else ""
    return f"{said.actor} approved {_thing(said)} for {_told(said, 'to')}{whole}{_because(said, 'comment')}"


def _cancelled(said: Happened) -> str:
    to = f" for {_told(said, 'to')}" if "to" in said.details else ""
    return f"The request of {_thing(said)}{to} was cancelled by {said.actor}{_because(said, 'comment', 'why')}"


def _stepped(said: Happened) -> str:
    share = _share(said, "share" if "share" in said.details else "weight")
    asked = "is asked beside the champion about" if "share" in said.details else "now answers"
    return f"{_thing(said)} {asked} {share} of the traffic{_because(said, 'detail')}"


def _promoted(said: Happened) -> str:
    return f"The rollout {said.subject} of {_thing(said)} ended in a promotion by {said.actor}{_because(said, 'detail')}"


def _rolled_back(said: Happened) -> str:
    instead = f" in place of v{_told(said, 'from')}" if said.details.get("from") else ""
    return f"{_thing(said)} serves again{instead}, says {said.actor}{_because(said, 'reason')}"


def _hold_ended(said: Happened) -> str:
    harm = said.details.get("why") == HoldEnd.HARM.value
    outcome = "found harm" if harm else f"is over ({_told(said, 'why')})"
    return f"Holding back a share behind {_thing(said)} {outcome}{_because(said, 'detail')}"


def _trigger(said: Happened, what: str) -> str:
    return f"The finding {_told(said, 'finding')} about {_thing(said)} {what} {_told(said, 'action')}{_because(said, 'reason')}"


def _dead(said: Happened) -> str:
    return (
        f"Webhook {_told(said, 'webhook')} did not take event {_told(said, 'event')} in {_told(said, 'attempts')} attempts"
        f"{_because(said, 'answer')}"
    )


def _plainly(text: str, *why: str) -> Callable[[Happened], str]:
    """A sentence with {thing}, {actor}, {subject} and details by name, and the first of the details in `why` behind it."""

    def sentence(said: Happened) -> str:
        return text.format_map(_Words(said)) + _because(said, *why)

    return sentence


class _Words(dict[str, str]):
    def __init__(self, said: Happened) -> None:
        super().__init__(thing=_thing(said), actor=said.actor, subject=said.subject, changed=_changed(said))
        self._said = said

    def __missing__(self, name: str) -> str:
        return _told(self._said, name)


_SENTENCES: dict[Action, Callable[[Happened], str]] = {
    Action.RUN_STARTED: _plainly("Run {subject} of {thing} began at commit {commit}"),
    Action.RUN_REFUSED: _plainly("Run {subject} of {thing} was refused", "error"),
    Action.RUN_FAILED: _plainly("Run {subject} of {thing} failed", "error"),
    Action.MODEL_CREATED: _plainly("{actor} made the model {thing}"),
    Action.VERSION_REGISTERED: _plainly("{thing} passed its gates and is registered"),
    Action.VERSION_SIGNED: _plainly("{thing} is signed by the key {key}"),
    Action.VERSION_SCANNED: _plainly("{actor} took in what {tool} found in {thing}"),
    Action.VERSION_PACKAGED: _plainly("{actor} built the {form} of {thing}"),
    Action.REQUEST_CREATED: _requested,
    Action.REQUEST_APPROVED: _approved,
    Action.REQUEST_REJECTED: _plainly("{actor} rejected {thing} for {to}", "comment"),
    Action.REQUEST_CANCELLED: _cancelled,
    Action.REQUEST_EXPIRED: _plainly("Nobody decided in time whether {thing} goes to {to}: the request {subject} expired"),
    Action.APPROVAL_VOIDED: _plainly("The yes of {by} to {thing} counts no more: what it was given to has changed"),
    Action.POLICY_SET: _plainly("{actor} set another policy for the platform"),
    Action.GLASS_BROKEN: _plainly("{actor} broke the glass and may let versions through alone until {until}", "why"),
    Action.GLASS_MENDED: _plainly("{actor} closed the broken glass before its end", "why"),
    Action.WAIVER_GRANTED: _plainly("{actor} lets the gate {gate} of {thing} count as passed until {until}", "why"),
    Action.WAIVER_WITHDRAWN: _plainly("{actor} withdrew the waiver of the gate {gate} of {thing}", "why"),
    Action.POLICY_WITHHELD: _plainly("{thing} was not asked into {to} by itself, a person must decide", "why"),
    Action.STAGE_APPLIED: _plainly("{thing} went from {from} to {to}, says {actor}"),
    Action.STAGE_ARCHIVED: _plainly("{thing} left {from} for version {for}"),
    Action.ALIAS_SET: _plainly("{thing} is now called {alias}"),
    Action.ALIAS_REMOVED: _plainly("{thing} is no longer called {alias}"),
    Action.COMMENT_ADDED: _plainly("{actor} said of {thing}", "comment"),
    Action.COMMENT_EDITED: _plainly("{actor} changed a comment on {thing}", "comment"),
    Action.COMMENT_DELETED: _plainly("{actor} took back a comment on {thing}"),
    Action.NOTES_SET: _plainly("{actor} changed the description or the tags of {thing}"),
    Action.VERSION_DELETED: _plainly("{actor} deleted {thing}"),
    Action.ROLLOUT_STARTED: _plainly("The rollout {subject} of {thing} to {environment} began: {strategy}"),
    Action.ROLLOUT_STEPPED: _stepped,
    Action.ROLLOUT_DROPPED: _plainly("A challenger in the rollout {subject} of {thing} was dropped", "detail"),
    Action.ROLLOUT_SHOWN: _plainly("{thing} is warm everywhere and answers those who ask for it", "detail"),
    Action.ROLLOUT_AWAITING: _plainly("The next step of the rollout {subject} of {thing} waits for a person's yes", "detail"),
    Action.ROLLOUT_APPROVED: _plainly("{actor} approved the next step of the rollout {subject} of {thing}", "comment"),
    Action.ROLLOUT_HELD: _plainly("The rollout {subject} of {thing} is inconclusive, a person must decide", "detail"),
    Action.LABELS_MISSING: _plainly("Labels of the rollout {subject} of {thing} are overdue", "detail"),
    Action.ROLLOUT_PAUSED: _plainly("{actor} paused the rollout {subject} of {thing}", "detail"),
    Action.ROLLOUT_RESUMED: _plainly("{actor} let the rollout {subject} of {thing} go on", "detail"),
    Action.ROLLOUT_PROMOTED: _promoted,
    Action.ROLLOUT_ABORTED: _plainly("The rollout {subject} of {thing} was aborted by {actor}", "detail"),
    Action.HOLD_BEGUN: _plainly("v{baseline} keeps a share of the traffic behind {thing} until {until}"),
    Action.HOLD_ENDED: _hold_ended,
    Action.ROLLED_BACK: _rolled_back,
    Action.LEARNING_BEGAN: _plainly("{thing} began to learn online"),
    Action.LEARNING_STOPPED: _plainly("{thing} stopped learning online", "reason"),
    Action.LEARNING_RESUMED: _plainly("{actor} let {thing} learn online again"),
    Action.FINDING_RECORDED: _plainly("Watching {thing} found {kind}", "detail"),
    Action.TRIGGER_FIRED: lambda said: _trigger(said, "led to"),
    Action.TRIGGER_SUPPRESSED: lambda said: _trigger(said, "did not lead to"),
    Action.DEPLOYMENT_SET: _plainly("The deployment of {thing} changed {changed}"),
    Action.ANSWERS_SET: _plainly("How {thing} answers in production was changed by {actor}"),
    Action.CHAMPIONS_SET: _plainly("Which segments of {thing} may have champions of their own was changed by {actor}"),
    Action.TOKEN_CREATED: _plainly("{actor} made the key {subject} ({name})"),
    Action.TOKEN_REVOKED: _plainly("{actor} revoked the key {subject} ({name})"),
    Action.KEY_REVOKED: _plainly("{actor} revoked the signing key {subject}: what it signed counts no more", "why"),
    Action.USER_SET: _plainly("{actor} set up the user {subject}"),
    Action.LOGIN_BEGUN: _plainly("{actor} signed in"),
    Action.LOGIN_ENDED: _plainly("{actor} was signed out", "why"),
    Action.WEBHOOK_SET: _plainly("{actor} set the webhook {subject}"),
    Action.WEBHOOK_REMOVED: _plainly("{actor} removed the webhook {subject} to {target}"),
    Action.DELIVERY_DEAD: _dead,
    Action.DELIVERY_REPLAYED: _plainly("{actor} sent {deliveries} deliveries of the webhook {webhook} anew"),
}
