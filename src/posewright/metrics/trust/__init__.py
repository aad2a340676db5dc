"""How far a number or a score can be trusted: intervals, calibration, warnings."""
