"""The specification's steps as plain functions with data frames and paths, for notebooks and scripts."""
