"""Access: who may do what, from where, and how much of it."""
