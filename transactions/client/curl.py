"""Commands to copy that call the API, as somebody types them who tries it for the first time."""

import json


def posting(url: str, token: str, transaction_id: str, user: int) -> str:
    """One that posts a transaction of the account `user` to `url`, the whole address of that call.

    Without a token, "", it shows none, for a private run that lets it in.
    """
    shows = f"  -H 'Authorization: Bearer {token}' \\\n" if token else ""
    body = {"transaction_id": transaction_id, "user": user, "amount": 1000, "status": "PENDING"}
    return f"curl -i {url} \\\n{shows}  -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'"


def reading(url: str, token: str) -> str:
    """One that asks for `url`."""
    return f"curl -i {url} \\\n  -H 'Authorization: Bearer {token}'"
