"""Mail by SMTP, to a server that may drip: each of its replies comes within EMAIL_TIMEOUT as a whole.

The time-out of a socket begins anew with each byte, so one mail server could hold all mail for ever. Of
replies a mail has about a dozen: it ends before the lease of whoever sends it.
"""

import os
import smtplib
import socket
import time

from django.core.mail.backends.smtp import EmailBackend

from ..stores.own_sessions import cut_after


class ReplyLate(smtplib.SMTPServerDisconnected, TimeoutError):
    """The mail server did not say all of a reply in time."""


class _InTime(smtplib.SMTP):
    """A connection on which each reply has an end."""

    timeout: float

    def getreply(self) -> tuple[int, bytes]:
        assert self.sock is not None
        late_at = time.monotonic() + self.timeout
        try:
            # Under a number of its own: the connection is closed amid it where it fails.
            with (
                socket.socket(fileno=os.dup(self.sock.fileno())) as line,
                cut_after(self.timeout, line),
            ):
                reply = super().getreply()
        except smtplib.SMTPServerDisconnected:
            if time.monotonic() < late_at:
                raise
            raise ReplyLate(ReplyLate.__doc__) from None
        if time.monotonic() >= late_at:
            # One that was cut off reads like a whole one.
            self.close()
            raise ReplyLate(ReplyLate.__doc__)
        return reply


class _InTimeByTls(_InTime, smtplib.SMTP_SSL):
    """The same by TLS from the first byte on."""


class InTimeBackend(EmailBackend):
    """Django's, with connections on which each reply has an end."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _InTimeByTls if self.use_ssl else _InTime
