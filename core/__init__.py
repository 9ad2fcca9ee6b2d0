"""What every package may use: settings, errors, clock, logs, metric names, connection helpers."""
