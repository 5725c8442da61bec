"""Commands to copy that call the API, as somebody types them who tries it for the first time.

`token` is the token itself, or what stands for it: a word to replace, or a variable of the shell.
"""

import json
import secrets


def posting(url: str, token: str, transaction_id: str, user: int) -> str:
    """One that posts a transaction of the account `user` to `url`, the whole address of that call.

    Without a token, "", it shows none, for a private run that lets it in.
    """
    body = {"transaction_id": transaction_id, "user": user, "amount": 1000, "status": "PENDING"}
    return f"{reading(url, token)} \\\n  -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'"


def new_id() -> str:
    """An id to try it with that nobody has: one that is taken is answered with 409."""
    return f"first-{secrets.token_hex(4)}"


def reading(url: str, token: str) -> str:
    """One that asks for `url`; without a token as `posting` has it."""
    return f"curl -i {url}" + (f' \\\n  -H "Authorization: Bearer {token}"' if token else "")
