"""Report cards: a frame, its figure and the sentence that says what it shows, for a notebook and for the page."""
