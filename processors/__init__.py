"""Message state and channel windows: pure rules, and the Faust app round them."""
