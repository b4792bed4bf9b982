/*
 * One VM-entry and VM-exit as upstream-base makes it, in straight-line C: what the engine's round trip is measured
 * against. Host PEBS with adaptive records on PMC0 of an Emerald Rapids CPU, no guest PEBS (scenario Bc).
 *
 * Usage: round-trip COUNT. Prints seconds, counts and the registers afterwards, one "name value" a line.
 * With -DINVARIANTS it also evaluates the invariants at the points where live hosts do.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* An NMI may land between two micro-steps and change anything, so nothing is kept in registers across them. */
#define STEP() do { machine.micro_steps++; __asm__ volatile("" ::: "memory"); } while (0)

enum { GLOBAL_CTRL, DS_AREA, PEBS_DATA_CFG, PEBS_ENABLE, MSRS };
enum { KVM_WRMSR, VM_ENTRY_LOAD, VM_EXIT_LOAD, VMCS_FIELD, VIAS };
enum { CAPACITY = 8 };

struct switch_msr { uint32_t msr; uint64_t host, guest; };
struct load_area { uint32_t count; struct { uint32_t msr; uint64_t value; } slot[CAPACITY]; };

static struct {
    uint64_t msr[MSRS];
    uint64_t counter_enable;
    /* struct cpu_hw_events */
    uint64_t pebs_enabled, host_mask, guest_mask, active_data_cfg, ds;
    struct switch_msr list[MSRS];
    uint32_t listed;
    uint64_t pebs_mask;
    /* x86_pmu */
    uint64_t intel_ctrl, pebs_capable;
    int ds_pebs, no_isolation, pebs_ept, pebs_baseline;
    /* struct kvm_pmu, struct vcpu_vmx */
    uint64_t global_ctrl, pebs_enable, guest_ds, guest_data_cfg, cross_mapped;
    struct load_area entry, exit;
    int load_global_ctrl;
    uint64_t guest_field, host_field;
    int overshoot;
    uint64_t counts[MSRS * VIAS];
    uint64_t micro_steps, round_trips, violations;
} machine;

static inline void write_msr(uint32_t msr, uint32_t via, uint64_t value)
{
    machine.msr[msr] = value;
    machine.counts[msr * VIAS + via]++;
}

static inline int slot_of(const struct load_area *area, uint32_t msr)
{
    for (uint32_t i = 0; i < area->count; i++)
        if (area->slot[i].msr == msr)
            return (int)i;
    return -1;
}

static inline void put(struct load_area *area, uint32_t msr, uint64_t value)
{
    int slot = slot_of(area, msr);
    if (slot < 0) {
        if (area->count == CAPACITY)
            return;
        slot = (int)area->count++;
        area->slot[slot].msr = msr;
    }
    area->slot[slot].value = value;
}

static inline void drop(struct load_area *area, uint32_t msr)
{
    int slot = slot_of(area, msr);
    if (slot >= 0)
        area->slot[slot] = area->slot[--area->count];
}

static inline void list_msr(uint32_t msr, uint64_t host, uint64_t guest)
{
    machine.list[machine.listed++] = (struct switch_msr){ msr, host, guest };
}

/* intel_guest_get_msrs() */
static inline void build_list(void)
{
    uint64_t pebs = machine.pebs_mask;
    if (!machine.ds_pebs)
        return;
    if (machine.no_isolation) {
        list_msr(PEBS_ENABLE, machine.pebs_enabled, 0);
        return;
    }
    if (!machine.pebs_ept)
        return;
    list_msr(DS_AREA, machine.ds, machine.guest_ds);
    if (machine.pebs_baseline)
        list_msr(PEBS_DATA_CFG, machine.active_data_cfg, machine.guest_data_cfg);
    uint64_t host = machine.pebs_enabled & ~machine.guest_mask;
    uint64_t guest = pebs & ~machine.host_mask & machine.pebs_enable & ~machine.cross_mapped;
    if (host) {
        list_msr(PEBS_ENABLE, host, 0);
        return;
    }
    list_msr(PEBS_ENABLE, host, guest);
    machine.list[0].guest = (machine.list[0].guest & ~machine.cross_mapped) | guest;
}

static inline void switch_msr(const struct switch_msr *entry)
{
    if (entry->msr == GLOBAL_CTRL) {
        machine.load_global_ctrl = entry->host != entry->guest;
        machine.guest_field = machine.load_global_ctrl ? entry->guest : 0;
        machine.host_field = machine.load_global_ctrl ? entry->host : 0;
        return;
    }
    if (entry->host == entry->guest) {
        drop(&machine.entry, entry->msr);
        drop(&machine.exit, entry->msr);
        return;
    }
    if (entry->msr == PEBS_ENABLE)
        write_msr(PEBS_ENABLE, KVM_WRMSR, 0);
    put(&machine.entry, entry->msr, entry->guest);
    put(&machine.exit, entry->msr, entry->host);
}

#ifdef INVARIANTS
static inline uint64_t host_global_ctrl(void) { return machine.intel_ctrl & ~machine.guest_mask; }
static inline uint64_t running(void) { return machine.msr[GLOBAL_CTRL] & machine.counter_enable; }
static inline uint64_t firing(void) { return running() & machine.msr[PEBS_ENABLE]; }
static inline void hold(int holds) { machine.violations += !holds; }

static inline uint64_t guest_pebs(void)
{
    return machine.pebs_enabled & ~machine.guest_mask ? 0 :
        machine.pebs_enabled & machine.pebs_enable & ~machine.host_mask & ~machine.cross_mapped;
}

static inline void at_quiescence(void)
{
    uint64_t pebs = machine.msr[PEBS_ENABLE];
    hold((pebs & ~machine.pebs_enabled) == 0);                          /* I1 */
    hold((machine.pebs_enabled & ~machine.guest_mask & ~pebs) == 0);    /* I2 */
    hold(machine.pebs_enabled != 0 || pebs == 0);                       /* I2' */
    hold((machine.guest_mask & running()) == 0);                        /* I4 */
    hold(machine.ds == 0 || machine.msr[DS_AREA] == machine.ds);        /* I5h */
    hold(machine.msr[PEBS_DATA_CFG] == machine.active_data_cfg);        /* I6 */
    hold(machine.msr[GLOBAL_CTRL] == host_global_ctrl());               /* I7 */
    hold(((machine.msr[GLOBAL_CTRL] ^ host_global_ctrl()) & machine.counter_enable) == 0); /* I7e */
    hold((running() & (pebs ^ machine.pebs_enabled)) == 0);               /* I13 */
}

static inline void in_guest(void)
{
    uint64_t fires = firing();
    hold((machine.pebs_enabled & ~machine.guest_mask & fires) == 0);    /* I3 */
    hold(fires == 0 || (fires & ~guest_pebs()) == 0);                   /* I3s */
    hold(fires == 0 || (machine.msr[DS_AREA] == machine.guest_ds &&
        machine.msr[PEBS_DATA_CFG] == machine.guest_data_cfg));         /* I5g */
    hold((machine.msr[GLOBAL_CTRL] & (~machine.intel_ctrl | machine.host_mask)) == 0 &&
        (machine.msr[GLOBAL_CTRL] & machine.pebs_enabled & ~guest_pebs()) == 0); /* I10 */
}

static inline void lists_applied(void)
{
    for (uint32_t i = 1; i < machine.listed; i++)                       /* I9 */
        hold((slot_of(&machine.entry, machine.list[i].msr) >= 0) ==
            (machine.list[i].host != machine.list[i].guest));
}

static inline void before_exit_loads(void)
{
    for (uint32_t i = 0; i < machine.exit.count; i++) {                 /* I8 */
        uint64_t value = machine.exit.slot[i].value;
        switch (machine.exit.slot[i].msr) {
        case DS_AREA: hold(value == machine.ds); break;
        case PEBS_DATA_CFG: hold(value == machine.active_data_cfg); break;
        default: hold(value == (machine.pebs_enabled & ~machine.guest_mask));
        }
    }
}
#define CHECK(what) do { what; } while (0)
#else
#define CHECK(what) do { } while (0)
#endif

static void round_trip(void)
{
    STEP(); /* k0 */
    STEP(); /* k1 */
    STEP(); /* k2 */
    machine.cross_mapped = 0; /* no guest counter is in use */
    STEP(); /* k3 */
    machine.listed = 0;
    machine.pebs_mask = machine.pebs_enabled & machine.pebs_capable;
    list_msr(GLOBAL_CTRL, machine.intel_ctrl & ~machine.guest_mask,
        machine.intel_ctrl & ~machine.host_mask & ~machine.pebs_mask);
    STEP(); /* k4, first half */
    build_list();
    STEP(); /* k4, second half */
    CHECK(at_quiescence());
    CHECK(hold((machine.pebs_mask & ~machine.guest_mask) == 0 ||
        (machine.list[0].guest & machine.pebs_mask) == 0));             /* I11 */
    for (uint32_t i = 0; i < machine.listed; i++) {
        switch_msr(&machine.list[i]);
        STEP(); /* k5 */
    }
    machine.overshoot = 0;
    CHECK(lists_applied());
    CHECK(hold(machine.msr[PEBS_ENABLE] == 0));                         /* I12 */
    STEP(); /* k6 */
    STEP(); /* k7 */
    STEP(); /* k8 */
    STEP(); /* k9 */
    CHECK(hold(machine.msr[PEBS_ENABLE] == 0));                         /* I12 */
    CHECK(hold(!machine.overshoot));                                    /* I3o */
    if (machine.load_global_ctrl)
        write_msr(GLOBAL_CTRL, VMCS_FIELD, machine.guest_field);
    STEP(); /* V1 */
    for (uint32_t i = 0; i < machine.entry.count; i++)
        write_msr(machine.entry.slot[i].msr, VM_ENTRY_LOAD, machine.entry.slot[i].value);
    STEP(); /* V2 */
    CHECK(in_guest());
    STEP(); /* V3 */
    STEP(); /* guest */
    STEP(); /* V4 */
    CHECK(before_exit_loads());
    if (machine.load_global_ctrl)
        write_msr(GLOBAL_CTRL, VMCS_FIELD, machine.host_field);
    STEP(); /* V5 */
    for (uint32_t i = 0; i < machine.exit.count; i++)
        write_msr(machine.exit.slot[i].msr, VM_EXIT_LOAD, machine.exit.slot[i].value);
    STEP(); /* V6 */
    CHECK(hold(machine.ds == 0 || machine.msr[DS_AREA] == machine.ds)); /* I5h */
    STEP(); /* k11 */
    CHECK(at_quiescence());
    STEP(); /* k12 */
    STEP(); /* k13 */
    CHECK(at_quiescence());
    machine.round_trips++;
}

static void set_up(void)
{
    machine.intel_ctrl = 0x1000f000000ffULL;
    machine.pebs_capable = ~0ULL;
    machine.ds_pebs = machine.pebs_ept = machine.pebs_baseline = 1;
    machine.pebs_enabled = machine.host_mask = machine.counter_enable = 1;
    machine.active_data_cfg = 3;
    machine.ds = 0xfffffe0000016000ULL;
    machine.global_ctrl = 0xff;
    machine.msr[GLOBAL_CTRL] = machine.intel_ctrl;
    machine.msr[PEBS_ENABLE] = 1;
    machine.msr[DS_AREA] = machine.ds;
    machine.msr[PEBS_DATA_CFG] = 3;
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv)
{
    static const char *const names[] = {
        "IA32_PERF_GLOBAL_CTRL", "IA32_DS_AREA", "MSR_PEBS_DATA_CFG", "IA32_PEBS_ENABLE",
    };
    static const char *const vias[] = {
        "kvm_wrmsr", "vm_entry_load", "vm_exit_load", "vmcs_field",
    };
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    struct timespec start, end;
    set_up();
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++)
        round_trip();
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("seconds %.9f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9);
    printf("round_trips %llu\n", (unsigned long long)machine.round_trips);
    printf("micro_steps %llu\n", (unsigned long long)machine.micro_steps);
    printf("violations %llu\n", (unsigned long long)machine.violations);
    for (int msr = 0; msr < MSRS; msr++) {
        printf("%s 0x%016llx\n", names[msr], (unsigned long long)machine.msr[msr]);
        for (int via = 0; via < VIAS; via++)
            if (machine.counts[msr * VIAS + via])
                printf("%s:%s %llu\n", names[msr], vias[via], (unsigned long long)machine.counts[msr * VIAS + via]);
    }
    return 0;
}
