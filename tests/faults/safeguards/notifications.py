"""Safeguards of being told: each message once noted, in order, signed, and to no other address."""

from .mutation import Mutation

DELIVERY = "transactions/notifications/delivery.py"
TOLD = (
    "tests/notifications/test_outbox.py",
    "tests/notifications/test_delivery.py",
    "tests/notifications/test_turns.py",
    "tests/notifications/test_sent_by_hand.py",
    "tests/notifications/test_secrets.py",
    "tests/notifications/test_sending.py",
)
MUTATIONS = (
    Mutation(
        "a message is noted after it was sent",
        DELIVERY,
        "        outcome = post(turn, message)\n",
        "        Delivery.objects.filter(pk=delivery).update(state=DeliveryState.DELIVERED)\n"
        "        outcome = post(turn, message)\n",
        TOLD,
    ),
    Mutation(
        "one worker at a time sends an endpoint's messages",
        DELIVERY,
        "SET leased_until = clock_timestamp() + interval '{LEASE_S} s'",
        "SET leased_until = clock_timestamp()",
        TOLD,
    ),
    Mutation(
        "a message has one id at every attempt",
        DELIVERY,
        "        outcome = post(turn, message)\n",
        '        message.key = __import__("uuid").uuid4() if attempts else message.key\n'
        "        outcome = post(turn, message)\n",
        TOLD,
    ),
    Mutation(
        "a message is written with the hits that it tells",
        "transactions/alerts/telling.py",
        "        alerts, types, holds = zip(*told, strict=True)\n",
        "        cursor.connection.commit()\n        alerts, types, holds = zip(*told, strict=True)\n",
        TOLD,
    ),
    Mutation(
        "a message is written with the step that it tells",
        "transactions/alerts/triage.py",
        "            with connection.cursor() as cursor:\n"
        "                telling.tell_change(cursor, held.pk, closed=closed, assigned=assigned)\n",
        "            transaction.on_commit(\n"
        "                lambda: telling.tell_change(connection.cursor(), held.pk, closed=closed)\n"
        "            )\n",
        TOLD,
    ),
    Mutation(
        "a message goes to no address that was not judged",
        "transactions/notifications/destinations.py",
        "    for address in found:\n        judge(address, is_secure=destination.is_secure)\n",
        "",
        TOLD,
    ),
    Mutation(
        "a message goes to the address that was judged",
        "transactions/notifications/sending.py",
        "self.sock = _connected(self._addresses,",
        "self.sock = _connected([self._destination.host],  # type: ignore[list-item]\n           ",
        TOLD,
    ),
    Mutation(
        "places have no gaps",
        "transactions/notifications/numbering.py",
        "row_number() OVER (ORDER BY grave DESC, id) AS place",
        "row_number() OVER (ORDER BY grave DESC, id) * 2 AS place",
        TOLD,
    ),
    Mutation(
        "a webhook's secret is kept encrypted",
        "transactions/notifications/signing.py",
        "    return _keys().encrypt(secret.encode()).decode()\n",
        "    return secret\n",
        TOLD,
    ),
    Mutation(
        "secrets are read with the environment's keys alone",
        "transactions/notifications/signing.py",
        "hashlib.sha256(key.encode()).digest() for key in",
        'hashlib.sha256(b"").digest() for key in',
        TOLD,
    ),
)
