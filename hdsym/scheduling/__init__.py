"""Schedules of the learning rate that are optimal, and what they are compared with."""
