# Tests of bundle/.
