"""A contents store in Redis 7 or Valkey, shared by the hosts of a cluster; `opening` opens it."""
