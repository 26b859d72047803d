"""A window opened for analysis: each measure computed once, from the frames of one lake version."""
