"""An experiment through its stages without services: one writer plans, executors do the work.

Used where nothing is live: for re-processing, and for volumes that were reconstructed elsewhere.
"""
