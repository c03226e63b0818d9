"""Sign how far the audit log has come, after having looked that it is whole."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.domain.events import Checkpoint
from lockgate.kernel.errors import Conflict, Corrupt
from lockgate.ports.signer import Signer
from lockgate.ports.state import CHECKPOINTS, Reader
from lockgate.stages.decide.audit import BEGINNING, Audit, verify
from lockgate.stages.decide.checkpoints import fingerprint, is_due, statement
from lockgate.usecases.read_audit import verify_audit
from lockgate.usecases.world import World

_LOOKED_AT = 50  # the newest checkpoints; among them one of this key, unless many homes share one database


def sign_if_due(world: World, signer: Signer) -> Checkpoint | None:
    """Every thousand events, and once a day while there are new ones; looks from the last checkpoint of this key on only.

    Raises:
        As `sign_checkpoint`.
    """
    with world.state.read() as tx:
        newest = tx.find(CHECKPOINTS, newest_first=True, limit=1)
        events = tx.events(newest_first=True, limit=1)
    last = newest[0] if newest else None
    if not is_due(last, events[0].seq if events else 0, world.clock.now()):
        return None
    with world.state.read() as tx:
        known = _known(tx, signer, fingerprint(signer.public_key))
        audit = verify(lambda after, limit: tx.written(after=after, limit=limit), known)
    return _signed(world, signer, audit)


def sign_checkpoint(world: World, signer: Signer) -> Checkpoint:
    """Of the last event, all of them having been looked at. It is kept with the state, for whoever else should keep it too.

    Raises:
        Conflict: nothing has happened yet. Corrupt: the log is not what it was when it was signed before; nothing is signed.
    """
    return _signed(world, signer, verify_audit(world, signer))


def _signed(world: World, signer: Signer, audit: Audit) -> Checkpoint:
    if audit.broken:
        hint = "See all of it: lockgate audit verify. Restore the database from a backup."
        raise Corrupt(f"the audit log is broken at event {audit.broken.seq}: {audit.broken.found}", hint=hint)
    if not audit.events:
        raise Conflict("the audit log is empty: there is nothing to sign yet")
    key, now = fingerprint(signer.public_key), world.clock.now()
    said = statement(audit.events, audit.head, now, key)
    checkpoint = Checkpoint(audit.events, audit.head, now, key, signer.sign(said))
    with world.state.write() as tx:
        tx.add(CHECKPOINTS, checkpoint)
    return checkpoint


def _known(tx: Reader, signer: Signer, key: str) -> Audit:
    """Up to where this key has vouched for the log already."""
    newest: Sequence[Checkpoint] = tx.find(CHECKPOINTS, newest_first=True, limit=_LOOKED_AT)
    last = max((one for one in newest if one.key == key), key=lambda one: one.seq, default=None)
    if last is None:
        return BEGINNING
    said = statement(last.seq, last.hash, last.at, last.key)
    found = tx.written(after=last.seq - 1, limit=1)
    if not signer.genuine(signer.public_key, said, last.signature) or not found or found[0][::10] != (last.seq, last.hash):
        hint = "See what does not agree: lockgate audit verify"
        raise Corrupt(f"the audit log does not agree with its checkpoint at event {last.seq}: nothing is signed", hint=hint)
    return Audit(last.seq, last.hash)
