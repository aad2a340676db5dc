"""What is attacked: subjects, attacks, and the search for the worst place."""
