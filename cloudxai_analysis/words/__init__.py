"""How people say numbers and moments: the one room that spells."""
