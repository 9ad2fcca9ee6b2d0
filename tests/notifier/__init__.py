"""Tests of the notifier and of what it sends."""
