
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: samples of /proc; see ngx_media_system.h.  Formats: proc(5).  A file
 * that is missing or looks different leaves its numbers 0.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include "ngx_media_core.h"
#include "ngx_media_system.h"


#define NGX_MEDIA_SYSTEM_FILE     32768
#define NGX_MEDIA_SYSTEM_DISKS    32
#define NGX_MEDIA_SYSTEM_PUBLIC   16


/* how the last sample has left the counters that only grow */

typedef struct {
    int64_t   msec;                 /* monotonic; 0: no sample yet */
    uint64_t  busy;                 /* cpu, ticks */
    uint64_t  total;
    uint32_t  disk[NGX_MEDIA_SYSTEM_DISKS];     /* hash of the name */
    uint64_t  disk_ms[NGX_MEDIA_SYSTEM_DISKS];  /* spent doing I/O */
    int64_t   in;
    int64_t   out;
} ngx_media_system_last_t;


static int64_t ngx_media_system_field(const char *text, const char *name);
static void ngx_media_system_cpu(ngx_media_system_t *s, char *buf);
static void ngx_media_system_memory(ngx_media_system_t *s, char *buf);
static void ngx_media_system_disk(ngx_media_system_t *s, char *buf,
    int64_t elapsed);
static double ngx_media_system_disk_busy(char *text, int64_t elapsed);
static void ngx_media_system_sockets(ngx_media_system_t *s, char *buf);
static void ngx_media_system_net(ngx_media_system_t *s, char *buf);
static ngx_uint_t ngx_media_system_is_public(const struct sockaddr *sa);
static ngx_uint_t ngx_media_system_public(char (*names)[IFNAMSIZ]);


static ngx_media_system_t       ngx_media_system;
static ngx_media_system_last_t  ngx_media_system_last;


const ngx_media_system_t *
ngx_media_system_sample(void)
{
    int64_t              now, elapsed;
    ngx_media_system_t  *s;

    static char  buf[NGX_MEDIA_SYSTEM_FILE];

    s = &ngx_media_system;
    now = ngx_media_msec();
    elapsed = now - ngx_media_system_last.msec;

    if (ngx_media_system_last.msec && elapsed < 1000) {
        return s;
    }

    s->sampled = ngx_media_epoch_ms();

    ngx_media_system_cpu(s, buf);
    ngx_media_system_memory(s, buf);
    ngx_media_system_disk(s, buf, ngx_media_system_last.msec ? elapsed : 0);
    ngx_media_system_sockets(s, buf);
    ngx_media_system_net(s, buf);

    ngx_media_system_last.msec = now;

    return s;
}


char *
ngx_media_system_read(const char *path, char *buf, size_t size)
{
    int      fd;
    size_t   len;
    ssize_t  n;

    len = 0;
    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {

        do {
            n = read(fd, buf + len, size - 1 - len);

            if (n > 0) {
                len += n;
            }

        } while (n > 0 && len < size - 1);

        (void) close(fd);
    }

    buf[len] = '\0';

    return buf;
}


/* the number behind a name; -1 where there is none */

static int64_t
ngx_media_system_field(const char *text, const char *name)
{
    const char  *p;

    p = strstr(text, name);

    return p ? strtoll(p + strlen(name), NULL, 10) : -1;
}


static void
ngx_media_system_cpu(ngx_media_system_t *s, char *buf)
{
    int        i;
    char      *p;
    uint64_t   n, total, idle, span;

    p = ngx_media_system_read("/proc/stat", buf, 1024);

    total = 0;
    idle = 0;

    if (strncmp(p, "cpu ", 4) == 0) {
        p += 4;

        /* user nice system idle iowait irq softirq steal */

        for (i = 0; i < 8; i++) {
            n = strtoull(p, &p, 10);
            total += n;
            idle += (i == 3 || i == 4) ? n : 0;
        }
    }

    span = total - ngx_media_system_last.total;

    if (span && total > ngx_media_system_last.total) {
        s->cpu = (double) (total - idle - ngx_media_system_last.busy)
                 / (double) span;
        s->cpu = ngx_max(0.0, ngx_min(1.0, s->cpu));
    }

    ngx_media_system_last.total = total;
    ngx_media_system_last.busy = total - idle;

    p = ngx_media_system_read("/proc/uptime", buf, 128);
    s->uptime = strtod(p, &p);
    s->idle = strtod(p, &p);

    p = ngx_media_system_read("/proc/loadavg", buf, 128);

    for (i = 0; i < 3; i++) {
        s->load[i] = strtod(p, &p);
    }
}


static void
ngx_media_system_memory(ngx_media_system_t *s, char *buf)
{
    char  *p;

    p = ngx_media_system_read("/proc/meminfo", buf, 4096);

    s->mem_total = ngx_max(ngx_media_system_field(p, "MemTotal:"), 0);
    s->mem_free = ngx_max(ngx_media_system_field(p, "MemFree:"), 0);
    s->mem_buffers = ngx_max(ngx_media_system_field(p, "Buffers:"), 0);
    s->mem_cached = ngx_max(ngx_media_system_field(p, "\nCached:"), 0);
    s->swap_total = ngx_max(ngx_media_system_field(p, "SwapTotal:"), 0);
    s->swap_free = ngx_max(ngx_media_system_field(p, "SwapFree:"), 0);
}


static void
ngx_media_system_disk(ngx_media_system_t *s, char *buf, int64_t elapsed)
{
    char  *p;

    p = ngx_media_system_read("/proc/vmstat", buf, NGX_MEDIA_SYSTEM_FILE);

    s->disk_in = ngx_max(ngx_media_system_field(p, "\npgpgin "), 0);
    s->disk_out = ngx_max(ngx_media_system_field(p, "\npgpgout "), 0);

    s->disk_read = 0;
    s->disk_write = 0;

    if (elapsed > 0) {
        s->disk_read = (s->disk_in - ngx_media_system_last.in) * 1000
                       / elapsed;
        s->disk_write = (s->disk_out - ngx_media_system_last.out) * 1000
                        / elapsed;
    }

    ngx_media_system_last.in = s->disk_in;
    ngx_media_system_last.out = s->disk_out;

    p = ngx_media_system_read("/proc/diskstats", buf, NGX_MEDIA_SYSTEM_FILE);

    s->disk_busy = ngx_media_system_disk_busy(p, elapsed);
}


/*
 * Share of the time that the busiest device was doing I/O: the 13th column.
 * Partitions come behind their disk and are never busier.
 */

static double
ngx_media_system_disk_busy(char *text, int64_t elapsed)
{
    char        name[64], *p;
    double      busy, max;
    uint32_t    hash;
    uint64_t    ms;
    ngx_uint_t  i;

    max = 0;
    p = text;

    for (i = 0; i < NGX_MEDIA_SYSTEM_DISKS && p && *p; i++) {

        if (sscanf(p, "%*u %*u %63s %*u %*u %*u %*u %*u %*u %*u %*u %*u %"
                      SCNu64, name, &ms)
            != 2)
        {
            break;
        }

        hash = ngx_crc32_short((u_char *) name, strlen(name));

        if (elapsed > 0 && ngx_media_system_last.disk[i] == hash
            && ms > ngx_media_system_last.disk_ms[i])
        {
            busy = (double) (ms - ngx_media_system_last.disk_ms[i])
                   / (double) elapsed;
            max = ngx_max(max, ngx_min(busy, 1.0));
        }

        ngx_media_system_last.disk[i] = hash;
        ngx_media_system_last.disk_ms[i] = ms;

        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }

    return max;
}


static void
ngx_media_system_sockets(ngx_media_system_t *s, char *buf)
{
    int   column;
    char *p, *word, *last;

    p = ngx_media_system_read("/proc/net/sockstat", buf, 4096);

    s->tcp = ngx_max(ngx_media_system_field(p, "TCP: inuse "), 0);
    s->udp = ngx_max(ngx_media_system_field(p, "UDP: inuse "), 0);
    s->tcp_time_wait = ngx_max(ngx_media_system_field(p, " tw "), 0);

    p = ngx_media_system_read("/proc/net/sockstat6", buf, 4096);

    s->tcp += ngx_max(ngx_media_system_field(p, "TCP6: inuse "), 0);
    s->udp += ngx_max(ngx_media_system_field(p, "UDP6: inuse "), 0);

    /* two lines: names, then numbers; CurrEstab is the ninth of them */

    p = ngx_media_system_read("/proc/net/snmp", buf, NGX_MEDIA_SYSTEM_FILE);
    p = strstr(p, "\nTcp: ");
    p = p ? strstr(p + 1, "\nTcp: ") : NULL;

    s->tcp_established = 0;

    if (p == NULL) {
        return;
    }

    column = 0;

    for (word = strtok_r(p + 6, " \n", &last);
         word;
         word = strtok_r(NULL, " \n", &last))
    {
        if (++column == 9) {
            s->tcp_established = strtoll(word, NULL, 10);
            return;
        }
    }
}


static void
ngx_media_system_net(ngx_media_system_t *s, char *buf)
{
    char       *line, *name, *p, *last;
    int64_t     recv, send;
    ngx_uint_t  i, n;

    static char  names[NGX_MEDIA_SYSTEM_PUBLIC][IFNAMSIZ];

    n = ngx_media_system_public(names);

    s->net_recv = 0;
    s->net_send = 0;
    s->net_inner_recv = 0;
    s->net_inner_send = 0;

    p = ngx_media_system_read("/proc/net/dev", buf, NGX_MEDIA_SYSTEM_FILE);

    for (line = strtok_r(p, "\n", &last);
         line;
         line = strtok_r(NULL, "\n", &last))
    {
        p = strchr(line, ':');

        if (p == NULL) {
            continue;
        }

        *p++ = '\0';
        name = line + strspn(line, " ");

        if (sscanf(p, "%" SCNd64 " %*d %*d %*d %*d %*d %*d %*d %" SCNd64,
                   &recv, &send)
            != 2)
        {
            continue;
        }

        for (i = 0; i < n && strcmp(name, names[i]) != 0; i++) { /* void */ }

        if (i < n) {
            s->net_recv += recv;
            s->net_send += send;

        } else {
            s->net_inner_recv += recv;
            s->net_inner_send += send;
        }
    }
}


static ngx_uint_t
ngx_media_system_is_public(const struct sockaddr *sa)
{
    in_addr_t             a;
    const u_char         *p;
    const struct in_addr *in;

    if (sa->sa_family == AF_INET) {
        in = &((const struct sockaddr_in *) (const void *) sa)->sin_addr;
        a = ntohl(in->s_addr);

        /* RFC 1122: this host, loopback; RFC 1918, 3927, 6598 */

        return (a >> 24) != 0 && (a >> 24) != 127 && (a >> 24) != 10
               && (a >> 20) != 0xac1 && (a >> 16) != 0xc0a8
               && (a >> 16) != 0xa9fe && (a >> 22) != 0x191;
    }

    if (sa->sa_family == AF_INET6) {
        p = ((const struct sockaddr_in6 *) (const void *) sa)
            ->sin6_addr.s6_addr;

        return (p[0] & 0xe0) == 0x20;       /* global unicast */
    }

    return 0;
}


/* names of interfaces that have a public address */

static ngx_uint_t
ngx_media_system_public(char (*names)[IFNAMSIZ])
{
    ngx_uint_t       n;
    struct ifaddrs  *list, *ifa;

    if (getifaddrs(&list) == -1) {
        return 0;
    }

    n = 0;

    for (ifa = list; ifa && n < NGX_MEDIA_SYSTEM_PUBLIC; ifa = ifa->ifa_next) {

        if (ifa->ifa_addr == NULL
            || !ngx_media_system_is_public(ifa->ifa_addr)
            || (n && strcmp(names[n - 1], ifa->ifa_name) == 0))
        {
            continue;
        }

        (void) ngx_cpystrn((u_char *) names[n], (u_char *) ifa->ifa_name,
                           IFNAMSIZ);
        n++;
    }

    freeifaddrs(list);

    return n;
}


ngx_pid_t
ngx_media_system_parent(ngx_pid_t pid)
{
    char    path[64], buf[512], *p;
    int     parent;
    u_char *last;

    last = ngx_snprintf((u_char *) path, sizeof(path) - 1, "/proc/%P/stat",
                        pid);
    *last = '\0';

    /* the name in parentheses may hold anything */

    p = strrchr(ngx_media_system_read(path, buf, sizeof(buf)), ')');

    if (p == NULL || sscanf(p + 1, " %*c %d", &parent) != 1) {
        return 0;
    }

    return parent;
}
