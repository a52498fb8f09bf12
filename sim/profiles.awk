# Makes sim/profiles.c, the table of sim/profile.h, from the profile files it is given.
BEGIN {
    print "/* Made from sim/profiles/ by the build. */"
    print "#include \"sim/profile.h\""
    print ""
    print "const struct sf_sim_profile_named sf_sim_profiles[] = {"
}
FNR == 1 {
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.profile$/, "", name)
    if (files++ > 0)
        print "    },"
    printf "    {\"%s\",\n", name
}
{
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    printf "        \"%s\\n\"\n", $0
}
END {
    print "    },"
    print "    {NULL, NULL},"
    print "};"
}
