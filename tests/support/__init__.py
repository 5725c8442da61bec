"""What tests of several rooms begin with: servers, clients, rows, outages."""
