"""From a notebook to a published page: its parameters, its run, the page, the publication."""
