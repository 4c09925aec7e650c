"""The specification's steps as plain functions of data frames and paths, for notebooks and scripts."""
