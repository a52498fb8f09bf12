#include "sim/nat.h"

int
sf_sim_nat_init(struct sf_sim_nat *nat, const struct sf_sim_nat_config *config)
{
    if (config->count > SF_SIM_NAT_TIMES_MAX ||
        (config->every_ns != 0 && config->every_ns < SF_SIM_NAT_NS_MIN) ||
        (config->idle_ns != 0 && config->idle_ns < SF_SIM_NAT_NS_MIN)) {
        return SF_EINVAL;
    }
    *nat = (struct sf_sim_nat){.config = *config};
    return SF_OK;
}

uint64_t
sf_sim_nat_changes(const struct sf_sim_nat_config *config, sf_mono now)
{
    uint64_t changes = config->every_ns == 0 ? 0 : now / config->every_ns;

    for (size_t i = 0; i < config->count; i++) {
        changes += config->times[i] <= now;
    }
    return changes;
}

static bool
is_idle(const struct sf_sim_nat *nat, sf_mono now)
{
    return nat->config.idle_ns != 0 && nat->is_used && now - nat->used >= nat->config.idle_ns;
}

uint64_t
sf_sim_nat_out(struct sf_sim_nat *nat, sf_mono now)
{
    nat->forgotten += is_idle(nat, now);
    nat->used = now;
    nat->is_used = true;
    return sf_sim_nat_changes(&nat->config, now) + nat->forgotten;
}

bool
sf_sim_nat_in(const struct sf_sim_nat *nat, uint64_t address, sf_mono now)
{
    return !is_idle(nat, now) && address == sf_sim_nat_changes(&nat->config, now) + nat->forgotten;
}
