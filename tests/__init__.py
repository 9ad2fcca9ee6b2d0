"""Tests, on the real parts wherever something is beyond a pure function."""
