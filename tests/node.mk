# Tests of node/.
