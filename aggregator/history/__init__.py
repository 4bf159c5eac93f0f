"""Telemetry: chunks as they came, and the samples in them. ``chunks`` stores and reads both."""
