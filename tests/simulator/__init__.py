"""Tests of the simulator and its answer key."""
