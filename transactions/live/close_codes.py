"""Why the server closes a websocket. Daphne lets an application close with 3000 to 4999 alone.

These are like 1003, 1007, 1008, 1009 and 1013 of RFC 6455. A message over Daphne's own limit (1 MiB),
or no answer to its pings, cuts the connection off without a code of ours.
"""

# The session has ended, the token was revoked, or the right to read was taken away.
CREDENTIALS_ENDED = 4003
# The query string cannot be read: a parameter of `subscription` has a value that makes no sense, or two.
UNREADABLE_QUERY = 4007
# The client does not keep up: too many bytes or frames wait for it, or more was accepted in a second
# than a plain connection is shown.
TOO_SLOW = 4008
# The client sent a message that is too large.
TOO_LARGE_MESSAGE = 4009
# Redis failed, or this connection could not be served: connect again, in a while.
TRY_AGAIN = 4013
# The client sent too many messages in a second.
TOO_MANY_MESSAGES = 4029
