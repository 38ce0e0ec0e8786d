"""``yingke doctor``: what is right and wrong with a box, each with the next step; changes nothing."""
