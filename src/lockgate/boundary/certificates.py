"""Are the TLS files usable? Asked before a server starts, so that a wrong key is one sentence and not a worker that dies.

The standard library tells a certificate's dates only of one that was verified. So the two ends shake hands in memory, with the
certificate itself as what the client trusts.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from lockgate.boundary.exposure import Tls
from lockgate.kernel.errors import Invalid

SOON = 14 * 86400.0  # seconds before its end at which a certificate is warned of
_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME: time is an argument here
_ROUNDS = 8  # a handshake takes four
_READ_BY_ALL = 0o004


def check_tls(tls: Tls, now: datetime) -> list[str]:
    """What a person should know: an end that is near or past, a certificate that callers refuse, a key that anybody can read.

    Raises:
        Invalid: a file is missing or is not what it should be, or the key does not belong to the certificate.
    """
    server = _server(tls)
    warnings = [f"{tls.key} can be read by everybody on this machine"] if tls.key.stat().st_mode & _READ_BY_ALL else []
    try:
        end = _end(server, tls)
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or error.reason
        return [*warnings, f"callers will not accept {tls.certificate}: {reason}"]
    left = end - now.timestamp()
    if left < SOON:
        when = datetime.fromtimestamp(end, UTC)
        verb = "ended" if left < 0 else "ends"
        warnings.append(f"{tls.certificate} {verb} at {when:%Y-%m-%d %H:%M} UTC; callers do not accept it after that")
    return warnings


def _server(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in (tls.certificate, tls.key, *([tls.client_ca] if tls.client_ca else [])):
        if not path.is_file():
            raise Invalid(f"there is no file {path}", hint="TLS needs a certificate and its private key, in PEM.")

    def encrypted() -> str:
        """Asked for a password. Granian (2.8) cannot read such a key, and the password would lie beside it anyway."""
        raise Invalid(f"{tls.key} is encrypted", hint=f"openssl pkey -in {tls.key} -out PLAIN, and chmod 600 PLAIN.")

    try:
        context.load_cert_chain(tls.certificate, tls.key, encrypted)
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except (ssl.SSLError, OSError) as error:
        raise Invalid(_why(error, tls), hint="See that all files are PEM, and that the key is this certificate's.") from error
    return context


def _why(error: OSError, tls: Tls) -> str:
    reason = getattr(error, "reason", None) or error.strerror or "it is not PEM"
    if reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key} is not the private key of {tls.certificate}"
    return f"{tls.certificate} with {tls.key} cannot be used: {reason.replace('_', ' ').lower()}"


def _end(server: ssl.SSLContext, tls: Tls) -> float:
    """Unix seconds at which the certificate ends.

    Raises:
        ssl.SSLError: it is no certificate for a server.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(tls.certificate)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server)
    ends = (client, server.wrap_bio(to_server, to_client, server_side=True))
    for _ in range(_ROUNDS):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert() or {}
    return ssl.cert_time_to_seconds(str(found["notAfter"]))
