"""The units of deploy/systemd under systemd itself, the first process of a guest made here."""
