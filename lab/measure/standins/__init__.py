"""Processes that stand where a service of an era would, and do just what the measurement needs."""
