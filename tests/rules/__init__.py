"""Rules: kinds, versions, the contract, and what becomes of rules that fail."""
