"""Group mails that are being read into batches, each for one commit."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from flexmail.errors import MailServerError
from flexmail.transport.imap import Fetched

_MAILS, _BYTES = 30, 8 * 1024 * 1024


def batches(
    mails: Iterator[Fetched], tried: frozenset[int], *, seconds: float
) -> Iterator[list[Fetched]]:
    """Group mails for one commit; one that was tried before goes alone, to endanger no other.

    What took `seconds` to read waits for no more: on a slow line all would come to nothing.
    """
    batch: list[Fetched] = []
    began = monotonic()
    lost: MailServerError | None = None
    while True:
        try:
            mail = next(mails)
        except StopIteration:
            break
        except MailServerError as error:
            lost = error
            break
        if mail.uid in tried:
            yield [mail]
            continue
        batch.append(mail)
        full = len(batch) >= _MAILS or sum(len(mail.raw) for mail in batch) >= _BYTES
        if full or monotonic() - began > seconds:
            yield batch
            batch, began = [], monotonic()
    if batch:
        yield batch  # what came before a connection was lost is not lost with it
    if lost:
        raise lost
