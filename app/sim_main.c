/* skyferry-sim - networks to break on purpose. */
#include <config.h>

#include "app/sim.h"
#include "sim/profile.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: skyferry-sim link --listen ADDR:PORT --to ADDR:PORT [--profile NAME|FILE]\n"
    "                         [--set KEY=VALUE]... [--seed N] [--record FILE] [--control PATH]\n"
    "                         [--realtime]\n"
    "       skyferry-sim link --tun NAMESPACE:ADDR/LEN --tun NAMESPACE:ADDR/LEN [--make] ...\n"
    "       skyferry-sim link [--profile NAME|FILE] [--set KEY=VALUE]... | --counters\n"
    "                         [--control PATH]         (of a link that runs)\n"
    "       skyferry-sim passes --tle FILE --station NAME:LATITUDE,LONGITUDE[,METRES[,MASK]]...\n"
    "                         [--satellite NAME|NUMBER] [--from TIME] [--days N]\n"
    "                         [--rate RATE] [--up RATE] [--down RATE] [--format table|ion|hdtn]\n"
    "       skyferry-sim run [SCENARIO] [--size SIZE] [--profile NAME|FILE] [--set KEY=VALUE]...\n"
    "                        [--plan FILE] [--receiver NODE]...\n"
    "                        [--receivers N] [--start TIME] [--until TIME] [--rate RATE] [--mtu "
    "N]\n"
    "                        [--seed N] [--title TEXT] [--estimate|--real] [--json]\n"
    "                        [--report FILE]\n"
    "       skyferry-sim test --seeds A..B[,C...] [--jobs N] [--twice] [--every-fault] [--json]\n"
    "       skyferry-sim test --seeds N --trace\n"
    "       skyferry-sim profiles [NAME]\n"
    "       skyferry-sim --help | --version\n";

int
sf_sim_say(int status, const char *format, ...)
{
    va_list arguments;

    fputs("skyferry-sim: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

int
sf_sim_profiles_main(int argc, char **argv)
{
    const struct sf_sim_profile_named *profile;

    if (argc > 2) {
        return sf_sim_say(
            SF_SIM_EXIT_USAGE, "profiles takes one name at most, not \"%s\"", argv[2]);
    }
    if (argc == 1) {
        for (profile = sf_sim_profiles; profile->name != NULL; profile++) {
            char summary[128];

            sf_sim_profile_summary(profile, summary, sizeof(summary));
            printf("%-16s %s\n", profile->name, summary);
        }
        return SF_SIM_EXIT_DONE;
    }
    profile = sf_sim_profile_find(argv[1]);
    if (profile == NULL) {
        return sf_sim_say(SF_SIM_EXIT_FAILED,
            "there is no profile \"%s\"; `skyferry-sim profiles` shows those there are", argv[1]);
    }
    fputs(profile->text, stdout);
    return SF_SIM_EXIT_DONE;
}

int
main(int argc, char **argv)
{
    int status;

    if (argc < 2) {
        fputs(usage, stderr);
        return SF_SIM_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, stdout);
        status = SF_SIM_EXIT_DONE;
    } else if (strcmp(argv[1], "--version") == 0) {
        printf("skyferry-sim %s\n", PACKAGE_VERSION);
        status = SF_SIM_EXIT_DONE;
    } else if (strcmp(argv[1], "link") == 0) {
        status = sf_sim_link_main(argc - 1, argv + 1);
    } else if (strcmp(argv[1], "passes") == 0) {
        status = sf_sim_passes_main(argc - 1, argv + 1);
    } else if (strcmp(argv[1], "run") == 0) {
        status = sf_sim_run_main(argc - 1, argv + 1);
    } else if (strcmp(argv[1], "test") == 0) {
        status = sf_sim_test_main(argc - 1, argv + 1);
    } else if (strcmp(argv[1], "profiles") == 0) {
        status = sf_sim_profiles_main(argc - 1, argv + 1);
    } else {
        fputs(usage, stderr);
        return sf_sim_say(SF_SIM_EXIT_USAGE,
            "there is no command \"%s\"; there are link, passes, profiles, run and test", argv[1]);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return sf_sim_say(SF_SIM_EXIT_FAILED, "standard output cannot be written");
    }
    return status;
}
