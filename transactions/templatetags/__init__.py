"""What templates are made of, beside Django's own tags."""
