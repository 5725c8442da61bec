"""The system seen from outside: health, log, metrics, errors."""
