"""Tests of the specification's steps."""
