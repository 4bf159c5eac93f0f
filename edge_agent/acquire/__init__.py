"""Owns the drivers' tasks: ``tasks.acquire`` runs one driver for ever and hands its samples to the pipeline."""
