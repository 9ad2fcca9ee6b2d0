"""Tests of the whole chain against the answer key."""
