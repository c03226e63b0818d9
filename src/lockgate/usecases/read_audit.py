"""Is the audit log whole, and does it agree with what was signed of it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lockgate.domain.events import Checkpoint
from lockgate.ports.signer import Signer
from lockgate.ports.state import CHECKPOINTS, Reader
from lockgate.stages.decide.audit import Audit, verify
from lockgate.stages.decide.checkpoints import Genuine, compared, fingerprint, statement
from lockgate.usecases.world import World


def verify_audit(
    world: World,
    signer: Signer | None = None,
    *,
    trusted: Sequence[str] = (),
    against: Sequence[Checkpoint] = (),
    told: Callable[[int], object] = lambda _: None,
) -> Audit:
    """Walk the chain from its beginning: every event must follow its predecessor, and say what its hash covers. And every
    checkpoint must agree, in the state and `against`. About 5 µs an event.

    signer: whose key is trusted; without one, checkpoints are nobody's word. trusted: further public keys. told: how many events
    are whole so far.

    Raises:
        Invalid: one of `trusted` is no public key.
    """
    genuine = _genuine(signer, trusted)
    with world.state.read() as tx:
        audit = verify(lambda after, limit: tx.written(after=after, limit=limit), told=told)
        return compared(audit, [*tx.find(CHECKPOINTS), *against], lambda seq: _hash_at(tx, seq), genuine)


def _genuine(signer: Signer | None, trusted: Sequence[str]) -> Genuine:
    keys = {fingerprint(key): key for key in ((signer.public_key, *trusted) if signer else ())}
    if signer:
        for key in trusted:
            signer.genuine(key, b"", "")  # is it one at all?

    def genuine(one: Checkpoint) -> bool | None:
        if signer is None or one.key not in keys:
            return None
        return signer.genuine(keys[one.key], statement(one.seq, one.hash, one.at, one.key), one.signature)

    return genuine


def _hash_at(tx: Reader, seq: int) -> str:
    return tx.written(after=seq - 1, limit=1)[0][10]
