
/*
 * Copyright (C) the nginx media suite authors
 *
 * Optional: events to a topic of Kafka, through librdkafka.
 *
 * Each worker has a producer of its own, made in init_process with all signals
 * blocked, since librdkafka works in threads.  The master has none: it only
 * checks the configuration.  An event is copied into librdkafka's queue, which
 * is bounded; what finds no room is dropped and counted.  Threads deliver it;
 * what they report, and their log, is fetched by a timer of the event loop.
 * When the worker ends it waits for what is on its way, for a bounded time.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <pthread.h>
#include <signal.h>
#include <librdkafka/rdkafka.h>

#include "ngx_media.h"
#include "ngx_media_event.h"


#define NGX_MEDIA_KAFKA_POLL      1000     /* ms */
#define NGX_MEDIA_KAFKA_FLUSH     2000     /* ms, when the worker ends */
#define NGX_MEDIA_KAFKA_END       1        /* s, for its threads to end */
#define NGX_MEDIA_KAFKA_WARN      10       /* s between lines about losses */
#define NGX_MEDIA_KAFKA_TOPIC     249      /* as Kafka limits it */
#define NGX_MEDIA_KAFKA_ERROR     512


typedef struct {
    ngx_str_t            name;        /* both end with 0 */
    ngx_str_t            value;
} ngx_media_kafka_option_t;


typedef struct {
    ngx_str_t            brokers;     /* "": not configured */
    ngx_str_t            topic;
    ngx_array_t          options;     /* of ngx_media_kafka_option_t */
    ngx_flag_t           health;
} ngx_media_kafka_conf_t;


/* the producer of this worker */

typedef struct {
    rd_kafka_t          *producer;
    rd_kafka_topic_t    *topic;
    ngx_event_t          timer;
    ngx_connection_t     dummy;       /* data of the timer: debug reads fd */
    uint64_t             delivered;
    uint64_t             failed;      /* given up */
    uint64_t             dropped;     /* found no room */
    uint64_t             lost;        /* of both, as logged last */
    time_t               warned;
} ngx_media_kafka_t;


static void *ngx_media_kafka_create_main_conf(ngx_conf_t *cf);
static char *ngx_media_kafka(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_uint_t ngx_media_kafka_topic_ok(ngx_str_t *topic);
static char *ngx_media_kafka_option(ngx_conf_t *cf,
    ngx_media_kafka_conf_t *kcf, ngx_str_t *value);
static rd_kafka_conf_t *ngx_media_kafka_conf(ngx_media_kafka_conf_t *kcf,
    char *error);

static ngx_int_t ngx_media_kafka_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_media_kafka_start(ngx_cycle_t *cycle,
    ngx_media_kafka_conf_t *kcf);
static void ngx_media_kafka_event(const ngx_media_event_t *event);
static void ngx_media_kafka_timer(ngx_event_t *ev);
static void ngx_media_kafka_losses(void);
static void ngx_media_kafka_delivered(rd_kafka_t *rk,
    const rd_kafka_message_t *message, void *opaque);
static void ngx_media_kafka_log(const rd_kafka_t *rk, int level,
    const char *facility, const char *text);
static void ngx_media_kafka_exit_process(ngx_cycle_t *cycle);
static void *ngx_media_kafka_end(void *data);
static void *ngx_media_kafka_boot(ngx_cycle_t *cycle);


static ngx_media_kafka_t  ngx_media_kafka_worker;


static ngx_command_t  ngx_media_kafka_commands[] = {

    { ngx_string("media_kafka"),
      NGX_MEDIA_MAIN_CONF|NGX_CONF_2MORE,
      ngx_media_kafka,
      NGX_MEDIA_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_media_module_t  ngx_media_kafka_module_ctx = {
    ngx_media_kafka_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create policy */
    NULL                                   /* merge policy */
};


ngx_module_t  ngx_media_kafka_module = {
    NGX_MODULE_V1,
    &ngx_media_kafka_module_ctx,           /* module context */
    ngx_media_kafka_commands,              /* module directives */
    NGX_MEDIA_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_media_kafka_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_media_kafka_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_core_module_t  ngx_media_kafka_boot_module_ctx = {
    ngx_string("media_kafka_boot"),
    ngx_media_kafka_boot,
    NULL
};


ngx_module_t  ngx_media_kafka_boot_module = {
    NGX_MODULE_V1,
    &ngx_media_kafka_boot_module_ctx,      /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_media_kafka_boot(ngx_cycle_t *cycle)
{
    if (ngx_media_register(cycle, NGX_MEDIA_ABI, "ngx_media_kafka_module")
        != NGX_OK)
    {
        return NULL;
    }

    return cycle;
}


/* --- configuration ------------------------------------------------------ */

static void *
ngx_media_kafka_create_main_conf(ngx_conf_t *cf)
{
    ngx_media_kafka_conf_t  *kcf;

    kcf = ngx_pcalloc(cf->pool, sizeof(ngx_media_kafka_conf_t));

    if (kcf == NULL
        || ngx_array_init(&kcf->options, cf->pool, 4,
                          sizeof(ngx_media_kafka_option_t))
           != NGX_OK)
    {
        return NULL;
    }

    kcf->health = 1;

    return kcf;
}


/* media_kafka BROKERS TOPIC [NAME=VALUE ...] */

static char *
ngx_media_kafka(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_media_kafka_conf_t *kcf = conf;

    char              error[NGX_MEDIA_KAFKA_ERROR], *rv;
    ngx_str_t        *value;
    ngx_uint_t        i;
    rd_kafka_conf_t  *rkc;

    if (kcf->brokers.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || !ngx_media_kafka_topic_ok(&value[2])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"media_kafka\" must be followed by brokers, "
                           "\"HOST:PORT,...\", and a topic of letters, "
                           "digits, \".\", \"_\" and \"-\"");
        return NGX_CONF_ERROR;
    }

    kcf->brokers = value[1];
    kcf->topic = value[2];

    for (i = 3; i < cf->args->nelts; i++) {
        rv = ngx_media_kafka_option(cf, kcf, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rkc = ngx_media_kafka_conf(kcf, error);

    if (rkc == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"media_kafka\": %s", error);
        return NGX_CONF_ERROR;
    }

    rd_kafka_conf_destroy(rkc);

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_media_kafka_topic_ok(ngx_str_t *topic)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < topic->len; i++) {
        ch = topic->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '.' || ch == '_' || ch == '-'))
        {
            return 0;
        }
    }

    return topic->len > 0 && topic->len <= NGX_MEDIA_KAFKA_TOPIC;
}


static char *
ngx_media_kafka_option(ngx_conf_t *cf, ngx_media_kafka_conf_t *kcf,
    ngx_str_t *value)
{
    u_char                    *p;
    ngx_media_kafka_option_t  *option;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL || p == value->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter of \"media_kafka\", it must be "
                           "NAME=VALUE");
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value->data, "health=on") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "health=off") == 0) {
        kcf->health = 0;
        return NGX_CONF_OK;
    }

    option = ngx_array_push(&kcf->options);
    if (option == NULL) {
        return NGX_CONF_ERROR;
    }

    *p = '\0';

    option->name.data = value->data;
    option->name.len = p - value->data;
    option->value.data = p + 1;
    option->value.len = value->data + value->len - (p + 1);

    if (ngx_strcmp(option->name.data, "bootstrap.servers") == 0
        || ngx_strcmp(option->name.data, "metadata.broker.list") == 0
        || ngx_strcmp(option->name.data, "log.queue") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" may not be set in \"media_kafka\"",
                           &option->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* error: NGX_MEDIA_KAFKA_ERROR bytes.  No thread is started here. */

static rd_kafka_conf_t *
ngx_media_kafka_conf(ngx_media_kafka_conf_t *kcf, char *error)
{
    ngx_uint_t                 i;
    rd_kafka_conf_t           *rkc;
    ngx_media_kafka_option_t  *option;

    static const char  *defaults[][2] = {
        { "client.id", "nginx-media" },
        { "queue.buffering.max.messages", "10000" },
        { "queue.buffering.max.kbytes", "16384" },
        { "message.timeout.ms", "60000" },
        { "log.connection.close", "false" },
        { "log.queue", "true" }
    };

    rkc = rd_kafka_conf_new();

    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (rd_kafka_conf_set(rkc, defaults[i][0], defaults[i][1], error,
                              NGX_MEDIA_KAFKA_ERROR)
            != RD_KAFKA_CONF_OK)
        {
            goto failed;
        }
    }

    if (rd_kafka_conf_set(rkc, "bootstrap.servers",
                          (char *) kcf->brokers.data, error,
                          NGX_MEDIA_KAFKA_ERROR)
        != RD_KAFKA_CONF_OK)
    {
        goto failed;
    }

    option = kcf->options.elts;

    for (i = 0; i < kcf->options.nelts; i++) {
        if (rd_kafka_conf_set(rkc, (char *) option[i].name.data,
                              (char *) option[i].value.data, error,
                              NGX_MEDIA_KAFKA_ERROR)
            != RD_KAFKA_CONF_OK)
        {
            goto failed;
        }
    }

    rd_kafka_conf_set_dr_msg_cb(rkc, ngx_media_kafka_delivered);
    rd_kafka_conf_set_log_cb(rkc, ngx_media_kafka_log);

    return rkc;

failed:

    rd_kafka_conf_destroy(rkc);

    return NULL;
}


/* --- the life of the producer ------------------------------------------- */

static ngx_int_t
ngx_media_kafka_init_process(ngx_cycle_t *cycle)
{
    sigset_t                 all, old;
    ngx_int_t                rc;
    ngx_media_kafka_conf_t  *kcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    kcf = ngx_media_module_main_conf(cycle, &ngx_media_kafka_module);

    if (kcf == NULL || kcf->brokers.len == 0) {
        return NGX_OK;
    }

    /* its threads shall not get signals of ours */

    sigfillset(&all);

    if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0) {
        return NGX_ERROR;
    }

    rc = ngx_media_kafka_start(cycle, kcf);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    return rc;
}


/* where it can not be made, media go on without */

static ngx_int_t
ngx_media_kafka_start(ngx_cycle_t *cycle, ngx_media_kafka_conf_t *kcf)
{
    char                error[NGX_MEDIA_KAFKA_ERROR];
    rd_kafka_conf_t    *rkc;
    ngx_media_kafka_t  *k;

    k = &ngx_media_kafka_worker;

    rkc = ngx_media_kafka_conf(kcf, error);

    if (rkc) {
        k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, rkc, error,
                                   sizeof(error));

        if (k->producer == NULL) {
            rd_kafka_conf_destroy(rkc);
        }
    }

    if (k->producer == NULL) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "no events to Kafka from this worker: %s", error);
        return NGX_OK;
    }

    (void) rd_kafka_set_log_queue(k->producer, NULL);

    k->topic = rd_kafka_topic_new(k->producer, (char *) kcf->topic.data, NULL);

    if (k->topic == NULL) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "no events to Kafka from this worker: %s",
                      rd_kafka_err2str(rd_kafka_last_error()));

        rd_kafka_destroy(k->producer);
        k->producer = NULL;

        return NGX_OK;
    }

    k->dummy.fd = (ngx_socket_t) -1;

    k->timer.handler = ngx_media_kafka_timer;
    k->timer.data = &k->dummy;
    k->timer.log = cycle->log;
    k->timer.cancelable = 1;

    ngx_add_timer(&k->timer, NGX_MEDIA_KAFKA_POLL);

    return ngx_media_event_sink(ngx_media_kafka_event,
                                (ngx_uint_t) kcf->health);
}


static void
ngx_media_kafka_exit_process(ngx_cycle_t *cycle)
{
    int                 left;
    sigset_t            all, old;
    pthread_t           tid;
    struct timespec     until;
    ngx_media_kafka_t  *k;

    k = &ngx_media_kafka_worker;

    if (k->producer == NULL) {
        return;
    }

    (void) rd_kafka_flush(k->producer, NGX_MEDIA_KAFKA_FLUSH);

    left = rd_kafka_outq_len(k->producer);

    if (left) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "%d events were not delivered to Kafka when the worker "
                      "had to end", left);

        ngx_media_event_taken(0, (uint64_t) left);

        (void) rd_kafka_purge(k->producer,
                              RD_KAFKA_PURGE_F_QUEUE
                              |RD_KAFKA_PURGE_F_INFLIGHT);
    }

    /* one of its threads may hang, in a lookup of a name */

    sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    if (clock_gettime(CLOCK_REALTIME, &until) == 0
        && pthread_create(&tid, NULL, ngx_media_kafka_end, k) == 0)
    {
        until.tv_sec += NGX_MEDIA_KAFKA_END;
        (void) pthread_timedjoin_np(tid, NULL, &until);
    }

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    k->producer = NULL;
}


static void *
ngx_media_kafka_end(void *data)
{
    ngx_media_kafka_t *k = data;

    rd_kafka_t  *producer;

    producer = k->producer;

    rd_kafka_topic_destroy(k->topic);
    rd_kafka_destroy(producer);

    return NULL;
}


/* --- events ------------------------------------------------------------- */

/* the key: all events of a stream are in one partition, in their order */

static void
ngx_media_kafka_event(const ngx_media_event_t *event)
{
    u_char              key[1024], *p;
    ngx_media_kafka_t  *k;

    k = &ngx_media_kafka_worker;

    p = ngx_snprintf(key, sizeof(key), "%V/%V", &event->vhost, &event->app);

    if (event->stream.len) {
        p = ngx_slprintf(p, key + sizeof(key), "/%V", &event->stream);
    }

    if (rd_kafka_produce(k->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                         event->json.data, event->json.len, key, p - key,
                         NULL)
        == -1)
    {
        k->dropped++;
        ngx_media_event_taken(0, 1);
    }

    /* what was delivered makes room */

    (void) rd_kafka_poll(k->producer, 0);
}


static void
ngx_media_kafka_timer(ngx_event_t *ev)
{
    (void) rd_kafka_poll(ngx_media_kafka_worker.producer, 0);

    ngx_media_kafka_losses();

    ngx_add_timer(ev, NGX_MEDIA_KAFKA_POLL);
}


static void
ngx_media_kafka_losses(void)
{
    uint64_t            lost;
    ngx_media_kafka_t  *k;

    k = &ngx_media_kafka_worker;
    lost = k->failed + k->dropped;

    if (lost == k->lost || ngx_time() - k->warned < NGX_MEDIA_KAFKA_WARN) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "%uL events for Kafka are lost: of all, %uL were delivered, "
                  "%uL were given up, %uL found no room in the queue",
                  lost - k->lost, k->delivered, k->failed, k->dropped);

    k->lost = lost;
    k->warned = ngx_time();
}


/* from rd_kafka_poll() and rd_kafka_flush(): in the event loop's thread */

static void
ngx_media_kafka_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message,
    void *opaque)
{
    if (message->err) {
        ngx_media_kafka_worker.failed++;
        ngx_media_event_taken(0, 1);

    } else {
        ngx_media_kafka_worker.delivered++;
        ngx_media_event_taken(1, 0);
    }
}


/* the same, since log.queue is on; levels are those of syslog */

static void
ngx_media_kafka_log(const rd_kafka_t *rk, int level, const char *facility,
    const char *text)
{
    ngx_uint_t  as;

    as = (level <= 3) ? NGX_LOG_WARN : (level <= 5) ? NGX_LOG_NOTICE
                                     : NGX_LOG_INFO;

    ngx_log_error(as, ngx_cycle->log, 0, "Kafka: %s: %s", facility, text);
}
