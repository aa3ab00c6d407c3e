"""Rules at work: requests below ``/beams`` that make convert jobs, and ``/api/rules`` to change them."""
