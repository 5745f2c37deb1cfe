
/*
 * Copyright (C) the nginx media suite authors
 *
 * L3: relays in the API: what is fetched and sent, by all workers.  URLs lie in
 * the table without their secrets.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "ngx_media_core.h"
#include "ngx_media_api.h"
#include "ngx_media_relay_hub.h"


static void ngx_media_api_relay_write(ngx_media_json_t *j,
    ngx_media_relay_entry_t *e);


ngx_int_t
ngx_media_api_relays(ngx_media_api_t *api)
{
    uint32_t                  i;
    ngx_uint_t                total;
    ngx_media_json_t         *j;
    ngx_media_api_page_t      page;
    ngx_media_relay_entry_t   e;

    j = &api->json;
    page = ngx_media_api_page(api->request);
    total = 0;

    ngx_media_json_key_array(j, "relays");

    for (i = 0; i < NGX_MEDIA_RELAYS; i++) {

        if (ngx_media_relay_snapshot(i, &e) != NGX_OK) {
            continue;
        }

        if (total >= page.start && total - page.start < page.count) {
            ngx_media_json_object(j);
            ngx_media_api_relay_write(j, &e);
            ngx_media_json_object_end(j);
        }

        total++;
    }

    ngx_media_json_array_end(j);
    ngx_media_json_key_int(j, "total", total);

    return NGX_OK;
}


static void
ngx_media_api_relay_write(ngx_media_json_t *j, ngx_media_relay_entry_t *e)
{
    double     since;
    u_char    *p;
    ngx_str_t  text;

    e->error[sizeof(e->error) - 1] = '\0';
    e->client[sizeof(e->client) - 1] = '\0';

    ngx_media_json_key_text(j, "way",
                            e->way == NGX_MEDIA_RELAY_PULL ? "pull" : "push");

    text.data = e->url;
    text.len = ngx_min(e->url_len, sizeof(e->url));
    ngx_media_json_key_str(j, "url", &text);

    p = e->names;

    text.data = p;
    text.len = ngx_min(e->vhost_len, sizeof(e->names) / 3);
    ngx_media_json_key_str(j, "vhost", &text);
    p += text.len;

    text.data = p;
    text.len = ngx_min(e->app_len, sizeof(e->names) / 3);
    ngx_media_json_key_str(j, "app", &text);
    p += text.len;

    text.data = p;
    text.len = ngx_min(e->stream_len, sizeof(e->names) / 3);
    ngx_media_json_key_str(j, "stream", &text);

    ngx_media_json_key_text(j, "state", ngx_media_relay_state_name(e->state));

    since = (double) (ngx_media_epoch_ms() - e->since) / 1000;
    ngx_media_json_key_double(j, "since", ngx_max(since, 0.0), 2);

    ngx_media_json_key_int(j, "attempts", e->attempts);
    ngx_media_json_key_int(j, "failures", e->failures);
    ngx_media_json_key_text(j, "error", (char *) e->error);
    ngx_media_json_key_int(j, "bytes", (int64_t) e->bytes);
    ngx_media_json_key_text(j, "client", (char *) e->client);
    ngx_media_json_key_int(j, "worker", e->pid);
}
