"""The websocket's consumer, where one looks for it; how it works is in `transactions.live`."""

from transactions.live.consumer import TransactionStream

__all__ = ["TransactionStream"]
