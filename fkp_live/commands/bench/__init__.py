"""``fkp-live bench``: speed, latency, start-up and memory of this machine."""
