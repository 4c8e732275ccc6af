"""One stateful fake per destination, over real HTTP on this machine: to rehearse a sync, and to test one."""
