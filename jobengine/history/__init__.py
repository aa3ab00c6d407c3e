"""Jobs, their history and everything else that is kept in SQL. The only place that speaks SQL."""
