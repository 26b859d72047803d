"""What runs beside the reports: events planted in one's own weeks, and what is found of them."""
