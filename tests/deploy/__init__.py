"""What operators deploy: connections to secured parts, files of the deploy folder."""
