"""Serves a bundle over HTTP, and registers it with MLflow."""
