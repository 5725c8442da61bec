"""The bytes of an uploaded file: kept by portions as they come, read as one file that can be sought in."""

import io
from hashlib import sha256
from typing import Any

from .models import Portion, Upload

# Bytes of one row, and of what is read at a time.
PORTION_BYTES = 1024 * 1024


class Keeping:
    """The bytes of one upload on their way into PostgreSQL, of which no more than a portion is in memory."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._waiting = bytearray()
        self._portions = 0
        self._digest = sha256()
        self.size = 0

    def add(self, more: bytes) -> None:
        """Takes the next bytes. Raises django.db.Error."""
        self._digest.update(more)
        self.size += len(more)
        self._waiting += more
        while len(self._waiting) >= PORTION_BYTES:
            self._keep(PORTION_BYTES)

    def end(self) -> str:
        """Keeps what is left; the SHA-256 of all, in hexadecimal digits. Raises django.db.Error."""
        if self._waiting:
            self._keep(len(self._waiting))
        return self._digest.hexdigest()

    def _keep(self, size: int) -> None:
        content = bytes(self._waiting[:size])
        del self._waiting[:size]
        Portion.objects.create(upload=self._upload, number=self._portions, content=content)
        self._portions += 1


class _Stored(io.RawIOBase):
    """The portions of an upload as one file; the one that is being read is kept in memory."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._at = 0
        self._held: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begins = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._upload.size}
        if begins[whence] + offset < 0:
            raise ValueError("a file has no bytes before its first")
        self._at = begins[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        number, begin = divmod(self._at, PORTION_BYTES)
        if self._at >= self._upload.size:
            return 0
        if self._held[0] != number:
            # It is gone where somebody has removed the upload: then there is nothing to go on with.
            self._held = (
                number,
                bytes(Portion.objects.get(upload=self._upload, number=number).content),
            )
        found = self._held[1][begin : begin + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def opened(upload: Upload) -> io.BufferedReader:
    """The file as it was sent, at its first byte. Reading raises Portion.DoesNotExist once it is removed."""
    return io.BufferedReader(_Stored(upload), PORTION_BYTES)
