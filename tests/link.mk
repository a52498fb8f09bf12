# Tests of link/.
