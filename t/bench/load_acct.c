
/*
 * Copyright (C) the nginx media suite authors
 *
 * What the server costs, from /proc: run time of all threads of the given
 * processes and of all their descendants (a master's workers), and their
 * memory as proportional set size: anonymous (a server's own), shared (the
 * arena of frames) and of files (code; it depends on who else runs it).
 *
 * proc(5): task/TID/schedstat (ns on a CPU), smaps_rollup.
 */


#include "load.h"

#include <ctype.h>
#include <dirent.h>
#include <unistd.h>


#define LOAD_PIDS_MAX  256


static int       load_root[16];
static unsigned  load_nroots;


int
load_acct_pids(const char *list)
{
    char  *end;
    long   pid;

    while (*list) {
        pid = strtol(list, &end, 10);

        if (end == list || pid <= 0 || load_nroots == 16) {
            return LOAD_ERROR;
        }

        load_root[load_nroots++] = (int) pid;
        list = *end == ',' ? end + 1 : end;

        if (*end && *end != ',') {
            return LOAD_ERROR;
        }
    }

    return LOAD_OK;
}


static int
load_acct_parent(int pid)
{
    int    ppid;
    char   name[64], buf[512], *p;
    FILE  *fp;

    snprintf(name, sizeof(name), "/proc/%d/stat", pid);

    fp = fopen(name, "r");
    if (fp == NULL) {
        return 0;
    }

    ppid = 0;

    if (fgets(buf, sizeof(buf), fp)) {
        p = strrchr(buf, ')');

        if (p == NULL || sscanf(p + 1, " %*c %d", &ppid) != 1) {
            ppid = 0;
        }
    }

    fclose(fp);

    return ppid;
}


static int
load_acct_known(int *pids, unsigned n, int pid)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (pids[i] == pid) {
            return 1;
        }
    }

    return 0;
}


/* the given processes and their descendants */

static unsigned
load_acct_tree(int *pids)
{
    DIR            *dir;
    int             pid;
    unsigned        n, before;
    struct dirent  *de;

    memcpy(pids, load_root, load_nroots * sizeof(int));
    n = load_nroots;

    do {
        before = n;

        dir = opendir("/proc");
        if (dir == NULL) {
            return n;
        }

        while ((de = readdir(dir)) != NULL && n < LOAD_PIDS_MAX) {
            pid = isdigit((u_char) de->d_name[0]) ? atoi(de->d_name) : 0;

            if (pid && !load_acct_known(pids, n, pid)
                && load_acct_known(pids, n, load_acct_parent(pid)))
            {
                pids[n++] = pid;
            }
        }

        closedir(dir);

    } while (n != before);

    return n;
}


static uint64_t
load_acct_cpu(int pid)
{
    DIR                 *dir;
    FILE                *fp;
    char                 name[384];
    uint64_t             sum;
    struct dirent       *de;
    unsigned long long   ns;

    snprintf(name, sizeof(name), "/proc/%d/task", pid);

    dir = opendir(name);
    if (dir == NULL) {
        return 0;
    }

    sum = 0;

    while ((de = readdir(dir)) != NULL) {
        snprintf(name, sizeof(name), "/proc/%d/task/%s/schedstat", pid,
                 de->d_name);

        fp = isdigit((u_char) de->d_name[0]) ? fopen(name, "r") : NULL;
        if (fp == NULL) {
            continue;
        }

        if (fscanf(fp, "%llu", &ns) == 1) {
            sum += ns;
        }

        fclose(fp);
    }

    closedir(dir);

    return sum;
}


static void
load_acct_memory(int pid, load_acct_t *a)
{
    FILE                *fp;
    char                 line[256], key[64];
    unsigned long long   kb;

    snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", pid);

    fp = fopen(line, "r");
    if (fp == NULL) {
        return;
    }

    while (fgets(line, sizeof(line), fp)) {

        if (sscanf(line, "%63[A-Za-z_]: %llu kB", key, &kb) != 2) {
            continue;
        }

        if (strcmp(key, "Pss_Anon") == 0) {
            a->anon_kb += kb;

        } else if (strcmp(key, "Pss_Shmem") == 0) {
            a->arena_kb += kb;

        } else if (strcmp(key, "Pss_File") == 0) {
            a->file_kb += kb;
        }
    }

    fclose(fp);
}


/* seconds that all CPUs were busy since the machine was started */

double
load_acct_machine(void)
{
    FILE                *fp;
    unsigned long long   v[8];
    double               busy;

    fp = fopen("/proc/stat", "r");
    if (fp == NULL) {
        return 0;
    }

    busy = 0;

    if (fscanf(fp, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
               &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) == 8)
    {
        busy = (double) (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]);
    }

    fclose(fp);

    return busy / (double) sysconf(_SC_CLK_TCK);
}


void
load_acct_read(load_acct_t *a, int memory)
{
    int       pids[LOAD_PIDS_MAX];
    unsigned  i;

    memset(a, 0, sizeof(load_acct_t));

    a->procs = load_nroots ? load_acct_tree(pids) : 0;

    for (i = 0; i < a->procs; i++) {
        a->cpu_ns += load_acct_cpu(pids[i]);

        if (memory) {
            load_acct_memory(pids[i], a);
        }
    }
}
