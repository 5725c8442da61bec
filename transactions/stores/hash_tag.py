"""The word by which a cluster of Redis keeps all our keys on one node, where a script may use several."""

# A cluster looks at what stands in braces alone: the rest of a key says what it is for. Of a key without
# braces it looks at the whole, so the queue itself, which is named by the bare word, is on the same node.
WORD = "transactions_list"
TAG = "{" + WORD + "}"
