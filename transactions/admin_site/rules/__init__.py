"""The admin's pages of rules: what each says, how often it fires, and its way into force."""
