"""Private servers, process supervision and test set-up. The application never imports this package."""
