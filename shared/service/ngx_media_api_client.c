
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: clients in the API: listed, shown, closed.  Each entry is a snapshot
 * that the core makes; nothing is held while a list is made.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_ban.h"


#define NGX_MEDIA_API_BAN_MAX   (365 * 24 * 3600)


static ngx_uint_t ngx_media_api_client_shown(ngx_media_client_t *client,
    ngx_str_t *stream);
static ngx_int_t ngx_media_api_client_find(ngx_media_api_t *api,
    ngx_media_client_t *client);
static ngx_int_t ngx_media_api_ban(ngx_media_api_t *api);
static void ngx_media_api_client_write(ngx_media_json_t *j,
    ngx_media_client_t *client);
static void ngx_media_api_client_page(ngx_media_json_t *j, const char *key,
    ngx_media_client_t *client, ngx_uint_t which);
static void ngx_media_api_client_source(ngx_media_json_t *j,
    ngx_media_client_t *client);


ngx_int_t
ngx_media_api_clients(ngx_media_api_t *api)
{
    uint32_t              i, n;
    ngx_str_t             stream;
    ngx_uint_t            total;
    ngx_media_json_t     *j;
    ngx_media_client_t    client;
    ngx_media_api_page_t  page;

    j = &api->json;

    if (api->id.len) {

        if (ngx_media_api_client_find(api, &client) != NGX_OK) {
            return NGX_DECLINED;
        }

        ngx_media_json_key_object(j, "client");
        ngx_media_api_client_write(j, &client);
        ngx_media_json_object_end(j);

        return NGX_OK;
    }

    page = ngx_media_api_page(api->request);
    n = ngx_media_api_get(&ngx_media_arena()->fresh_client);
    total = 0;

    if (ngx_http_arg(api->request, (u_char *) "stream", 6, &stream) != NGX_OK)
    {
        ngx_str_null(&stream);
    }

    ngx_media_json_key_array(j, "clients");

    for (i = 0; i < n; i++) {

        if (!ngx_media_api_client_shown(ngx_media_client_at(i), &stream)) {
            continue;
        }

        if (total >= page.start && total - page.start < page.count) {

            if (ngx_media_client_snapshot(i, &client) != NGX_OK) {
                continue;
            }

            ngx_media_json_object(j);
            ngx_media_api_client_write(j, &client);
            ngx_media_json_object_end(j);
        }

        total++;
    }

    ngx_media_json_array_end(j);
    ngx_media_json_key_int(j, "total", total);

    return NGX_OK;
}


/*
 * Those that publish, play or are about to, not those still shaking hands;
 * those of one stream where its id is given.
 */

static ngx_uint_t
ngx_media_api_client_shown(ngx_media_client_t *client, ngx_str_t *stream)
{
    uint32_t             source;
    ngx_media_source_t  *src;

    if (!ngx_media_api_get(&client->used)) {
        return 0;
    }

    source = ngx_media_api_get(&client->source);

    if (stream->len == 0) {
        return source != NGX_MEDIA_NONE
               || ngx_media_api_get(&client->type) != NGX_MEDIA_CLIENT_UNKNOWN;
    }

    if (source >= ngx_media_arena()->nsources
        || stream->len >= NGX_MEDIA_API_ID_LEN)
    {
        return 0;
    }

    src = ngx_media_source_at(source);

    return ngx_strncmp(src->id, stream->data, stream->len) == 0
           && src->id[stream->len] == '\0';
}


static ngx_int_t
ngx_media_api_client_find(ngx_media_api_t *api, ngx_media_client_t *client)
{
    uint32_t             i, n;
    ngx_str_t            id;
    ngx_media_client_t  *entry;

    n = ngx_media_api_get(&ngx_media_arena()->fresh_client);

    for (i = 0; i < n; i++) {

        entry = ngx_media_client_at(i);

        if (!ngx_media_api_get(&entry->used)
            || ngx_media_client_snapshot(i, client) != NGX_OK)
        {
            continue;
        }

        id = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);

        if (id.len == api->id.len
            && ngx_strncmp(id.data, api->id.data, id.len) == 0)
        {
            return NGX_OK;
        }
    }

    api->code = NGX_MEDIA_API_NO_CLIENT;

    return NGX_DECLINED;
}


static void
ngx_media_api_client_write(ngx_media_json_t *j, ngx_media_client_t *client)
{
    u_char     vhost[NGX_MEDIA_API_ID_LEN];
    double     alive;
    ngx_str_t  text, name, app, stream;

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_ID);
    ngx_media_json_key_str(j, "id", &text);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_VHOST);

    if (text.len == 0) {
        ngx_str_set(&text, NGX_MEDIA_DEFAULT_VHOST);
    }

    name = text;

    ngx_media_api_vhost_id(vhost, &name);
    ngx_media_json_key_text(j, "vhost", (char *) vhost);

    ngx_media_api_client_source(j, client);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_IP);
    ngx_media_json_key_str(j, "ip", &text);

    ngx_media_api_client_page(j, "pageUrl", client, NGX_MEDIA_TEXT_PAGEURL);
    ngx_media_api_client_page(j, "swfUrl", client, NGX_MEDIA_TEXT_SWFURL);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_TCURL);
    ngx_media_api_tcurl(j, &text);

    app = ngx_media_client_text(client, NGX_MEDIA_TEXT_APP);
    stream = ngx_media_client_text(client, NGX_MEDIA_TEXT_STREAM);
    ngx_media_api_url(j, &name, &app, &stream);

    text = ngx_media_client_text(client, NGX_MEDIA_TEXT_NAME);
    ngx_media_json_key_str(j, "name", text.len ? &text : &stream);

    alive = (double) (ngx_media_epoch_ms() - client->created) / 1000;

    ngx_media_json_key_text(j, "type",
                            ngx_media_client_type_name(client->type));
    ngx_media_json_key_bool(j, "publish", client->publish);
    ngx_media_json_key_double(j, "alive", ngx_max(alive, 0.0), 2);
    ngx_media_json_key_int(j, "send_bytes", client->send_bytes);
    ngx_media_json_key_int(j, "recv_bytes", client->recv_bytes);
    ngx_media_api_kbps(j, client->recv.kbps, client->send.kbps);

    ngx_media_json_key_int(j, "worker", client->pid);
    ngx_media_json_key_int(j, "lag_ms", client->lag);
    ngx_media_json_key_int(j, "dropped", client->dropped);
    ngx_media_json_key_bool(j, "relay", client->relay);
    ngx_media_api_link(j, &client->link);
}


void
ngx_media_api_link(ngx_media_json_t *j, const ngx_media_link_t *link)
{
    if (!link->known) {
        ngx_media_json_key(j, "link");
        ngx_media_json_null(j);
        return;
    }

    ngx_media_json_key_object(j, "link");

    ngx_media_json_key_double(j, "rtt_ms", (double) link->rtt / 1000, 2);
    ngx_media_json_key_double(j, "rtt_var_ms", (double) link->rtt_var / 1000,
                              2);
    ngx_media_json_key_int(j, "latency_ms", link->latency);
    ngx_media_json_key_int(j, "bandwidth_kbps", link->bandwidth);
    ngx_media_json_key_int(j, "send_kbps", link->send_kbps);
    ngx_media_json_key_int(j, "recv_kbps", link->recv_kbps);
    ngx_media_json_key_int(j, "buffered_ms", link->buffered);
    ngx_media_json_key_int(j, "sent", link->sent);
    ngx_media_json_key_int(j, "resent", link->resent);
    ngx_media_json_key_int(j, "sent_lost", link->sent_lost);
    ngx_media_json_key_int(j, "sent_dropped", link->sent_dropped);
    ngx_media_json_key_int(j, "received", link->received);
    ngx_media_json_key_int(j, "recovered", link->recovered);
    ngx_media_json_key_int(j, "lost", link->lost);
    ngx_media_json_key_int(j, "dropped", link->dropped);
    ngx_media_json_key_int(j, "undecrypted", link->undecrypted);
    ngx_media_json_key_int(j, "nacks", link->nacks);
    ngx_media_json_key_int(j, "plis", link->plis);

    ngx_media_json_object_end(j);
}


/* without a query, which may hold a secret */

static void
ngx_media_api_client_page(ngx_media_json_t *j, const char *key,
    ngx_media_client_t *client, ngx_uint_t which)
{
    size_t     n;
    ngx_str_t  text;

    text = ngx_media_client_text(client, which);

    for (n = 0; n < text.len; n++) {
        if (text.data[n] == '?' || text.data[n] == '#') {
            break;
        }
    }

    text.len = n;

    ngx_media_json_key_str(j, key, &text);
}


static void
ngx_media_api_client_source(ngx_media_json_t *j, ngx_media_client_t *client)
{
    size_t               len;
    ngx_media_source_t  *src;

    ngx_media_json_key(j, "stream");

    if (client->source >= ngx_media_arena()->nsources) {
        ngx_media_json_str(j, NULL, 0);
        return;
    }

    src = ngx_media_source_at(client->source);

    for (len = 0; len < sizeof(src->id) && src->id[len]; len++) { /* void */ }

    ngx_media_json_str(j, src->id, len);
}


/*
 * ?ban=TIME: it may not come back for so long; ?by=address, name or both.
 * Before it is closed: encoders are back at once.
 */

static ngx_int_t
ngx_media_api_ban(ngx_media_api_t *api)
{
    ngx_int_t            seconds;
    ngx_str_t            value;
    ngx_uint_t           by;
    ngx_media_client_t   client;
    ngx_http_request_t  *r;

    r = api->request;

    if (ngx_http_arg(r, (u_char *) "ban", 3, &value) != NGX_OK) {
        return NGX_OK;
    }

    seconds = ngx_parse_time(&value, 1);
    by = NGX_MEDIA_BAN_ADDRESS|NGX_MEDIA_BAN_NAME;

    if (ngx_http_arg(r, (u_char *) "by", 2, &value) == NGX_OK) {

        if (value.len == 7 && ngx_strncmp(value.data, "address", 7) == 0) {
            by = NGX_MEDIA_BAN_ADDRESS;

        } else if (value.len == 4 && ngx_strncmp(value.data, "name", 4) == 0) {
            by = NGX_MEDIA_BAN_NAME;

        } else if (value.len != 4 || ngx_strncmp(value.data, "both", 4) != 0) {
            seconds = NGX_ERROR;
        }
    }

    if (seconds == NGX_ERROR || seconds == 0
        || seconds > NGX_MEDIA_API_BAN_MAX)
    {
        api->code = NGX_MEDIA_API_BAD_VALUE;
        return NGX_DECLINED;
    }

    if (ngx_media_api_client_find(api, &client) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_media_ban_client(&client, by, (int64_t) seconds * 1000) != NGX_OK)
    {
        api->code = NGX_MEDIA_API_BAD_VALUE;
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "client %V is banned by the API for %i s", &api->id, seconds);

    return NGX_OK;
}


/* its worker closes it; the answer does not wait for that */

ngx_int_t
ngx_media_api_kick(ngx_media_api_t *api)
{
    ngx_int_t           rc;
    ngx_media_client_t  client;

    rc = ngx_media_api_ban(api);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_media_client_kick(&api->id) != NGX_OK) {

        /* the worker has more to do than it can note, or there is none */

        return ngx_media_api_client_find(api, &client) == NGX_OK
               ? NGX_BUSY : NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_NOTICE, api->request->connection->log, 0,
                  "client %V is closed by the API", &api->id);

    return NGX_OK;
}
