/* A library with the functions of NVML that are called, for tests: built where they run, and loaded like the real one.
 *
 * Two GPUs that draw 300 W and 320 W; each one's counter of energy is that power times the time since boot, so
 * that what is measured can be said beforehand. GPU 1 has no ECC, and NOT_SUPPORTED says so. While FAIL_FILE exists,
 * each GPU is lost. Types are those of the published header. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef FAIL_FILE
#define FAIL_FILE "/nonexistent"
#endif

typedef struct { int index; } device;
typedef struct { unsigned int gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct {
    unsigned int pid;
    unsigned long long used;
    unsigned int gpu_instance, compute_instance;
} process;

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, SIZE = 7, GPU_IS_LOST = 15 };

static device devices[2] = {{0}, {1}};

static int lost(void) { return access(FAIL_FILE, F_OK) == 0; }

static unsigned int milliwatts(device *d) { return d->index == 0 ? 300000 : 320000; }

int nvmlInit_v2(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned int *count) {
    *count = 2;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device **out) {
    if (index > 1) return INVALID;
    if (lost()) return GPU_IS_LOST;
    *out = &devices[index];
    return SUCCESS;
}

int nvmlDeviceGetUUID(device *d, char *out, unsigned int length) {
    snprintf(out, length, "GPU-fake-%d", d->index);
    return SUCCESS;
}

int nvmlDeviceGetName(device *d, char *out, unsigned int length) {
    (void)d;
    snprintf(out, length, "Fake H100");
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(device *d, utilization *out) {
    (void)d;
    out->gpu = 87;
    out->memory = 41;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(device *d, memory *out) {
    (void)d;
    out->total = 80ULL << 30;
    out->used = 70ULL << 30;
    out->free = 10ULL << 30;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(device *d, unsigned int *out) {
    *out = milliwatts(d);
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(device *d, unsigned int *out) {
    (void)d;
    *out = 700000;
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(device *d, unsigned long long *out) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    *out = (unsigned long long)((double)milliwatts(d) * seconds);
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(device *d, unsigned int kind, unsigned int *out) {
    (void)d;
    if (kind > 3) return INVALID;
    *out = kind == 1 ? 1980 : 2619;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(device *d, unsigned int sensor, unsigned int *out) {
    (void)d;
    if (sensor != 0) return INVALID;
    *out = 61;
    return SUCCESS;
}

/* Under its older name alone. */
int nvmlDeviceGetCurrentClocksThrottleReasons(device *d, unsigned long long *out) {
    (void)d;
    *out = 0x4;
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(device *d, unsigned int type, unsigned int counter, unsigned long long *out) {
    if (d->index == 1) return NOT_SUPPORTED;
    if (counter != 0) return INVALID;
    *out = type == 0 ? 3 : 0;
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned int *count, process *out) {
    (void)d;
    if (*count < 1) {
        *count = 1;
        return SIZE;
    }
    memset(out, 0, sizeof *out);
    out->pid = 4242;
    out->used = 69ULL << 30;
    *count = 1;
    return SUCCESS;
}
