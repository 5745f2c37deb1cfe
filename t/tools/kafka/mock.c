
/*
 * Copyright (C) the nginx media suite authors
 *
 * A cluster of Kafka for tests: librdkafka's own mock, and a consumer of one
 * topic.
 *
 *     mock TOPIC
 *
 * says "brokers HOST:PORT,..." and then a line for each message, "message KEY
 * PAYLOAD".  Commands come in lines of standard input: "down", "up" (all
 * brokers), "rtt MS".  Ends when standard input does.
 */


#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>


#define BROKERS      3
#define PARTITIONS   4


static rd_kafka_t *
client(rd_kafka_type_t type, const char *brokers)
{
    char              error[512];
    rd_kafka_t       *rk;
    rd_kafka_conf_t  *conf;

    conf = rd_kafka_conf_new();

    rd_kafka_conf_set_log_cb(conf, NULL);

    if (brokers
        && (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error,
                              sizeof(error))
            || rd_kafka_conf_set(conf, "group.id", "test", error,
                                 sizeof(error))
            || rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200",
                                 error, sizeof(error))))
    {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }

    rk = rd_kafka_new(type, conf, error, sizeof(error));

    if (rk == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }

    return rk;
}


static void
command(rd_kafka_mock_cluster_t *cluster, const char *line)
{
    int  i;

    for (i = 1; i <= BROKERS; i++) {

        if (strncmp(line, "down", 4) == 0) {
            rd_kafka_mock_broker_set_down(cluster, i);

        } else if (strncmp(line, "up", 2) == 0) {
            rd_kafka_mock_broker_set_up(cluster, i);

        } else if (strncmp(line, "rtt ", 4) == 0) {
            rd_kafka_mock_broker_set_rtt(cluster, i, atoi(line + 4));
        }
    }

    printf("done\n");
}


static void
consume(rd_kafka_t *consumer)
{
    rd_kafka_message_t  *m;

    while ((m = rd_kafka_consumer_poll(consumer, 20)) != NULL) {

        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            printf("message %.*s %.*s\n", (int) m->key_len,
                   (const char *) m->key, (int) m->len,
                   (const char *) m->payload);
        }

        rd_kafka_message_destroy(m);
    }
}


int
main(int argc, char *argv[])
{
    int                               i;
    char                              line[128];
    rd_kafka_t                       *rk, *consumer;
    struct pollfd                     pfd;
    rd_kafka_mock_cluster_t          *cluster;
    rd_kafka_topic_partition_list_t  *list;

    if (argc != 2) {
        return 2;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);

    rk = client(RD_KAFKA_PRODUCER, NULL);
    cluster = rd_kafka_mock_cluster_new(rk, BROKERS);

    if (cluster == NULL
        || rd_kafka_mock_topic_create(cluster, argv[1], PARTITIONS, 1))
    {
        fprintf(stderr, "no mock cluster\n");
        return 1;
    }

    printf("brokers %s\n", rd_kafka_mock_cluster_bootstraps(cluster));

    consumer = client(RD_KAFKA_CONSUMER,
                      rd_kafka_mock_cluster_bootstraps(cluster));
    list = rd_kafka_topic_partition_list_new(PARTITIONS);

    for (i = 0; i < PARTITIONS; i++) {
        rd_kafka_topic_partition_list_add(list, argv[1], i)->offset =
                                                      RD_KAFKA_OFFSET_BEGINNING;
    }

    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);

    pfd.fd = 0;
    pfd.events = POLLIN;

    for ( ;; ) {

        consume(consumer);

        if (poll(&pfd, 1, 10) <= 0) {
            continue;
        }

        if (fgets(line, sizeof(line), stdin) == NULL) {
            break;
        }

        command(cluster, line);
    }

    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(rk);

    return 0;
}
