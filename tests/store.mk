# Tests of store/.
